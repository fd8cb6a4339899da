package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// item is an item of a table, as DynamoDB's protocol writes it.
type item map[string]json.RawMessage

// put is a write of one item: the whole of PutItem's request, and a part of
// TransactWriteItems'.
type put struct {
	TableName                 string
	Item                      item
	ConditionExpression       string
	ExpressionAttributeValues item
}

// key is the text of an item's key.
func (i item) key() (string, error) {
	var key struct{ S string }
	if err := json.Unmarshal(i["pk"], &key); err != nil || key.S == "" {
		return "", fmt.Errorf("a request for an item without a key")
	}
	return key.S, nil
}

// answerTable answers for the ledger's table. It knows the two conditions that
// the ledger uses, and demands that they hold: one process alone meets nobody.
func (s *standIn) answerTable(w http.ResponseWriter, r *http.Request, kind callKind, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case getItem:
		var in struct {
			TableName string
			Key       item
		}
		if err := awsInput(r, dynamoJSON, body, &in); err != nil {
			return err
		}
		key, err := in.Key.key()
		if err != nil {
			return err
		}
		if found := s.items[key]; found != nil {
			return answer200(w, dynamoJSON, map[string]any{"Item": found})
		}
	case putItem:
		var in put
		if err := awsInput(r, dynamoJSON, body, &in); err != nil {
			return err
		}
		if err := s.write(in); err != nil {
			return err
		}
	case transact:
		var in struct {
			TransactItems []struct{ Put put }
		}
		if err := awsInput(r, dynamoJSON, body, &in); err != nil {
			return err
		}
		for _, t := range in.TransactItems {
			if err := s.write(t.Put); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("an operation of DynamoDB that no function needs here: %s", kind)
	}
	return answer200(w, dynamoJSON, map[string]any{})
}

func (s *standIn) write(p put) error {
	key, err := p.Item.key()
	if err != nil {
		return err
	}
	if p.TableName != ledgerTable {
		return fmt.Errorf("a write to the table %q, not to %q", p.TableName, ledgerTable)
	}
	was, exists := s.items[key]
	holds := false
	switch p.ConditionExpression {
	case "":
		holds = true // the bare program's
	case "attribute_not_exists(pk)":
		holds = !exists
	case "v = :v":
		holds = exists && string(was["v"]) == string(p.ExpressionAttributeValues[":v"])
	}
	if !holds {
		return fmt.Errorf("the write of %s names another version than the table has", key)
	}
	s.items[key] = p.Item
	return nil
}
