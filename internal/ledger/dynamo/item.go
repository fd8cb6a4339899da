package dynamo

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
)

// attributes is an item in the form of the SDK.
type attributes = map[string]types.AttributeValue

// Names of the attributes. [Ledger] documents their content.
const (
	attrKey     = "pk"
	attrVersion = "v"
	attrToken   = "w"
	attrDoc     = "doc"
	attrState   = "s"
	attrAt      = "d"
	attrHeld    = "h"
	attrTries   = "t"
	attrExpires = "x"

	stateDue  = "due"
	stateHeld = "held"
)

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// encode returns the item as the next version, with the token of the write.
func encode(item ledger.Item, token string) attributes {
	a := attributes{
		attrKey:     text(item.Key),
		attrVersion: number(item.Version + 1),
		attrToken:   text(token),
		attrDoc:     text(strings.ToValidUTF8(string(item.Doc), "\uFFFD")),
	}
	switch {
	case !item.Due.IsZero():
		a[attrState], a[attrAt] = text(stateDue), number(item.Due.UnixMilli())
		if !item.Held.IsZero() {
			a[attrHeld] = number(item.Held.UnixMilli())
		}
	case !item.Held.IsZero():
		a[attrState], a[attrAt] = text(stateHeld), number(item.Held.UnixMilli())
	}
	if item.Tries != 0 {
		a[attrTries] = number(int64(item.Tries))
	}
	if !item.Expires.IsZero() {
		a[attrExpires] = number(item.Expires.Unix())
	}
	return a
}

// decode is the reverse of encode. An item that encode cannot have written is
// an error.
func decode(key string, a attributes) (ledger.Written, error) {
	r := &reader{key: key, attributes: a}
	w := ledger.Written{Item: ledger.Item{Key: key, Version: r.number(attrVersion)}, Token: r.text(attrToken)}
	if doc := r.text(attrDoc); doc != "" {
		w.Doc = []byte(doc)
	}
	if r.err == nil && w.Version < 1 {
		r.err = fmt.Errorf("item %.200q: the version in attribute v is below 1", key)
	}
	if r.has(attrState) || r.has(attrAt) {
		at := r.millisecond(attrAt)
		switch state := r.text(attrState); {
		case r.err != nil:
		case state == stateHeld:
			w.Held = at
		case state == stateDue:
			w.Due = at
			if r.has(attrHeld) {
				w.Held = r.millisecond(attrHeld)
			}
		default:
			r.err = fmt.Errorf(`item %.200q: attribute s is neither "due" nor "held"`, key)
		}
	}
	if r.has(attrTries) {
		w.Tries = int(r.number(attrTries))
	}
	if r.has(attrExpires) {
		w.Expires = time.Unix(r.number(attrExpires), 0).UTC()
	}
	if r.err != nil {
		return ledger.Written{}, r.err
	}
	return w, nil
}

// decodeRow reads an entry of the index.
func decodeRow(a attributes) (ledger.Listed, error) {
	r := &reader{attributes: a}
	r.key = r.text(attrKey)
	row := ledger.Listed{Key: r.key, At: r.millisecond(attrAt)}
	if r.err != nil {
		return ledger.Listed{}, r.err
	}
	return row, nil
}

// reader reads attributes and keeps the first error. The error shows no values.
type reader struct {
	key        string // for the error
	attributes attributes
	err        error
}

func (r *reader) has(name string) bool {
	_, there := r.attributes[name]
	return there
}

func (r *reader) fault(name, format string) {
	if r.err == nil {
		r.err = fmt.Errorf(format, r.key, name)
	}
}

func (r *reader) text(name string) string {
	switch v := r.attributes[name].(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case nil:
		r.fault(name, "item %.200q: attribute %s is missing")
	default:
		r.fault(name, "item %.200q: attribute %s is not a string")
	}
	return ""
}

func (r *reader) number(name string) int64 {
	switch v := r.attributes[name].(type) {
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			r.fault(name, "item %.200q: attribute %s is not a whole number")
		}
		return n
	case nil:
		r.fault(name, "item %.200q: attribute %s is missing")
	default:
		r.fault(name, "item %.200q: attribute %s is not a number")
	}
	return 0
}

func (r *reader) millisecond(name string) time.Time {
	return time.UnixMilli(r.number(name)).UTC()
}
