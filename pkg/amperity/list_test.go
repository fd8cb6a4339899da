package amperity

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pages answers a list: it sends the page that the token in the request names.
func pages(byToken map[string]string) func(*conn) {
	return func(c *conn) {
		for c.read() {
			c.server.mu.Lock()
			line := strings.Fields(c.server.heads[len(c.server.heads)-1])[1]
			c.server.mu.Unlock()
			u, err := url.Parse(line)
			if err != nil {
				return
			}
			c.answer(200, "", byToken[u.Query().Get("next_token")])
		}
	}
}

// collect reads a list as a caller does. It returns one line for each page, and
// the error.
func collect(t *testing.T, c *Client, o ListOptions) (got []string, failed error) {
	t.Helper()
	for page, err := range c.ListRunPages(t.Context(), o) {
		if failed != nil {
			t.Fatal("the loop continues after an error")
		}
		if err != nil {
			failed = err
			continue
		}
		line := ""
		for _, r := range page.Runs {
			line += r.ID + " "
		}
		if page.Total != nil {
			line += fmt.Sprintf("of %d", *page.Total)
		}
		got = append(got, strings.TrimSpace(line))
	}
	return got, failed
}

func TestListRunPagesReadsEveryPage(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name  string
		pages map[string]string
		want  []string
	}{
		{"one page", map[string]string{"": `{"data":[{"id":"a"},{"id":"b"}],"total":2}`}, []string{"a b of 2"}},
		{"an empty list", map[string]string{"": `{"data":[]}`}, []string{""}},
		{"three pages, a token to escape", map[string]string{
			"":      `{"data":[{"id":"a"}],"next_token":"t&1=+"}`,
			"t&1=+": `{"data":[],"next_token":"t2"}`,
			"t2":    `{"data":[{"id":"b"}],"next_token":""}`,
		}, []string{"a", "", "b"}},
		{"a next_token that is null ends", map[string]string{"": `{"data":[{"id":"a"}],"next_token":null}`}, []string{"a"}},
		{"a total that is not a number is nil", map[string]string{"": `{"data":[{"id":"a"}],"total":"many"}`}, []string{"a"}},
		{"unknown fields are ignored", map[string]string{"": `{"data":[{"id":"a","new":1}],"new":[]}`}, []string{"a"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, pages(row.pages))
			client := newTestClient(t, server.url)
			list := func() {
				got, err := collect(t, client, ListOptions{State: StateSucceeded})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(row.want, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
			list()
			list()
			client.CloseIdleConnections()
			server.close()
			if server.requests() != 2*len(row.pages) {
				t.Errorf("%d requests for twice %d pages", server.requests(), len(row.pages))
			}
			for _, head := range server.heads {
				if !strings.Contains(head, "state=succeeded") {
					t.Errorf("the filter is missing in\n%s", head)
				}
			}
		})
	}
}

func TestUnreadableListIsAnErrorAndNeverEmpty(t *testing.T) {
	t.Parallel()
	first := `{"data":[{"id":"a"}],"next_token":"t1"}`
	rows := []struct {
		name  string
		pages map[string]string
		want  []string // pages before the error
	}{
		{"no data", map[string]string{"": `{"total":0}`}, nil},
		{"data is null", map[string]string{"": `{"data":null}`}, nil},
		{"data is an object", map[string]string{"": `{"data":{}}`}, nil},
		{"Data is not data", map[string]string{"": `{"Data":[]}`}, nil},
		{"a single run", map[string]string{"": aRun}, nil},
		{"an array", map[string]string{"": `[]`}, nil},
		{"HTML", map[string]string{"": `<html>`}, nil},
		{"nothing", map[string]string{"": ``}, nil},
		{"an element without id", map[string]string{"": `{"data":[{"id":"a"},{}]}`}, nil},
		{"an element that is null", map[string]string{"": `{"data":[null]}`}, nil},
		{"an element that is a string", map[string]string{"": `{"data":["wf-1"]}`}, nil},
		{"a next_token that is a number", map[string]string{"": `{"data":[],"next_token":7}`}, nil},
		{"the second page has no data", map[string]string{"": first, "t1": `{}`}, []string{"a"}},
		{"the second page names itself", map[string]string{"": first, "t1": first}, []string{"a"}},
		{"a circle of two", map[string]string{"": first, "t1": `{"data":[],"next_token":"t2"}`, "t2": first}, []string{"a", ""}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, pages(row.pages))
			got, err := collect(t, newTestClient(t, server.url), ListOptions{})
			if answer := (*ResponseError)(nil); !errors.As(err, &answer) {
				t.Errorf("not an ResponseError: %v", err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestListRunsYieldsTheRunsOfEveryPage(t *testing.T) {
	t.Parallel()
	first := `{"data":[{"id":"a"},{"id":"b"}],"next_token":"t1"}`
	rows := []struct {
		name  string
		pages map[string]string
		most  int // the loop ends after this many runs
		want  []string
		fails bool
		// requests is how many requests the loop sends.
		requests int
	}{
		{"an empty list", map[string]string{"": `{"data":[]}`}, 9, nil, false, 1},
		{"three pages, one of them empty", map[string]string{
			"": first, "t1": `{"data":[],"next_token":"t2"}`, "t2": `{"data":[{"id":"c"}]}`,
		}, 9, []string{"a", "b", "c"}, false, 3},
		{"an error on the second page", map[string]string{"": first, "t1": `{}`}, 9, []string{"a", "b"}, true, 2},
		{"a loop that ends within the first page", map[string]string{"": first}, 1, []string{"a"}, false, 1},
		{"a loop that ends with the first page", map[string]string{"": first}, 2, []string{"a", "b"}, false, 1},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, pages(row.pages))
			client := newTestClient(t, server.url)
			var got []string
			var failed error
			for run, err := range client.ListRuns(t.Context(), ListOptions{}) {
				if failed != nil {
					t.Fatal("the loop continues after an error")
				}
				if failed = err; err != nil {
					if run != nil {
						t.Error("an error comes with a run")
					}
					continue
				}
				if got = append(got, run.ID); len(got) == row.most {
					break
				}
			}
			client.CloseIdleConnections()
			server.close()
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if unreadable := (*ResponseError)(nil); errors.As(failed, &unreadable) != row.fails || !row.fails && failed != nil {
				t.Errorf("the error is %v", failed)
			}
			if server.requests() != row.requests {
				t.Errorf("%d requests, want %d", server.requests(), row.requests)
			}
		})
	}
}

func TestListRunPagesRequestsOnlyThePagesThatAreRead(t *testing.T) {
	t.Parallel()
	server := listen(t, pages(map[string]string{"": `{"data":[{"id":"a"}],"next_token":"t1"}`}))
	client := newTestClient(t, server.url)
	for _, err := range client.ListRunPages(t.Context(), ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	client.CloseIdleConnections()
	server.close()
	if server.requests() != 1 {
		t.Errorf("%d requests", server.requests())
	}
}
