package amperity

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ListOptions filters the list of runs (Amperity API reference, GET
// /workflow/runs). The zero value asks for every run that the API returns. The
// API has no filter by config id.
type ListOptions struct {
	// CreatedFrom, inclusive, and CreatedTo, exclusive, bound the time at
	// which the runs were created. The zero time is no bound. The client
	// sends both in UTC and in milliseconds: it rounds a start down and an
	// end up.
	CreatedFrom, CreatedTo time.Time
	// EndedFrom and EndedTo bound the time at which the runs ended, in the
	// same way.
	EndedFrom, EndedTo time.Time
	// State and Type are sent as they are. Empty means all.
	State State
	Type  RunType
	// Limit is the most runs on a page. The API chooses if it is 0.
	Limit int
	// WithTotal asks for Page.Total.
	WithTotal bool
}

// The filters in the user's spelling, for Problem.Field.
const (
	fieldCreatedTo = "created_to"
	fieldEndedTo   = "ended_to"
	fieldLimit     = "limit"
)

// validate returns nil, or a *RequestError with every fault.
func (o ListOptions) validate() error {
	var f faults
	f.checkOrder(fieldCreatedTo, o.CreatedFrom, o.CreatedTo)
	f.checkOrder(fieldEndedTo, o.EndedFrom, o.EndedTo)
	if o.Limit < 0 {
		f.faultf(fieldLimit, "is %d: write a number of runs a page, or 0 for the API's own", o.Limit)
	}
	return f.request()
}

func (f *faults) checkOrder(field string, from, to time.Time) {
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		f.faultf(field, "is %s, not after the start, %s: give a later end, which is itself not in the range",
			to.UTC().Format(time.RFC3339Nano), from.UTC().Format(time.RFC3339Nano))
	}
}

func (o ListOptions) query() url.Values {
	q := url.Values{}
	from := func(name string, t time.Time) {
		if !t.IsZero() {
			q.Set(name, formatMillis(t.UTC().Truncate(time.Millisecond)))
		}
	}
	to := func(name string, t time.Time) {
		if !t.IsZero() {
			q.Set(name, formatMillis(t.UTC().Add(time.Millisecond-1).Truncate(time.Millisecond)))
		}
	}
	from("created_from", o.CreatedFrom)
	to("created_to", o.CreatedTo)
	from("ended_from", o.EndedFrom)
	to("ended_to", o.EndedTo)
	if o.State != "" {
		q.Set("state", string(o.State))
	}
	if o.Type != "" {
		q.Set("type", string(o.Type))
	}
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	if o.WithTotal {
		q.Set("with_total", "true")
	}
	return q
}

func formatMillis(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }

// Page is one page of a list.
type Page struct {
	// Runs are in the API's order. There may be none.
	Runs []*Run
	// Total is the number of runs in the whole list, or nil if the API did
	// not return it.
	Total *int
}

// ListRuns returns an iterator over runs, in the API's order. It reads the list
// page by page: the loop sends a request whenever it needs the next page
// (Amperity API reference, GET /workflow/runs).
//
//	opts := amperity.ListOptions{CreatedFrom: since}
//	for run, err := range client.ListRuns(ctx, opts) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// An error ends the loop. The runs before it are then only a part of the list.
// A response that is not a page of runs is a [*ResponseError], never an empty
// list. So is a response that repeats an earlier next_token, because such a
// list would not end.
func (c *Client) ListRuns(ctx context.Context, o ListOptions) iter.Seq2[*Run, error] {
	return func(yield func(*Run, error) bool) {
		for page, err := range c.ListRunPages(ctx, o) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, run := range page.Runs {
				if !yield(run, nil) {
					return
				}
			}
		}
	}
}

// ListRunPages returns an iterator over the pages that [Client.ListRuns] reads.
// It is for callers that need [Page.Total], or that act between two requests.
func (c *Client) ListRunPages(ctx context.Context, o ListOptions) iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) {
		if err := o.validate(); err != nil {
			yield(nil, err)
			return
		}
		query, seen := o.query(), map[string]bool{}
		for {
			page, next, err := c.page(ctx, query, seen)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(page, nil) || next == "" {
				return
			}
			seen[next] = true
			query.Set("next_token", next)
		}
	}
}

// page reads one page and the token of the next. seen holds the tokens of the
// pages before.
func (c *Client) page(ctx context.Context, query url.Values, seen map[string]bool) (*Page, string, error) {
	target := c.baseURL + runsPath
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, a, err := c.send(ctx, request{method: http.MethodGet, path: runsPath, url: target})
	if err != nil {
		return nil, "", err
	}
	if err := r.checkBody(a); err != nil {
		return nil, "", err
	}
	return r.page(a, seen)
}

// page decodes the envelope {"data":[…],"next_token":"…","total":n}.
func (r request) page(a *answer, seen map[string]bool) (*Page, string, error) {
	var envelope object
	if err := json.Unmarshal(a.body, &envelope); err != nil {
		return nil, "", r.problemf(a, "the answer is not JSON%s", r.excerpt(a))
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(envelope["data"], &elements); err != nil || elements == nil {
		return nil, "", r.problemf(a, "the answer is not a page of runs: it has no \"data\" array%s", r.excerpt(a))
	}
	page := &Page{Runs: make([]*Run, len(elements))}
	for i, element := range elements {
		page.Runs[i] = new(Run)
		if err := page.Runs[i].UnmarshalJSON(element); err != nil || page.Runs[i].ID == "" {
			return nil, "", r.problemf(a, "element %d of \"data\" is not a run: it has no \"id\"", i)
		}
	}
	if total, err := strconv.Atoi(string(envelope["total"])); err == nil {
		page.Total = &total
	}
	var next string
	if token, ok := envelope["next_token"]; ok && json.Unmarshal(token, &next) != nil {
		return nil, "", r.problemf(a, "its next_token is not a text")
	}
	if seen[next] {
		return nil, "", r.problemf(a, "its next_token is one that came before: the list would not end")
	}
	return page, next, nil
}
