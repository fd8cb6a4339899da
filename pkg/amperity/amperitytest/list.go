package amperitytest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// filterParams are the parameters of the list that select runs.
func filterParams() []string {
	return []string{"created_from", "created_to", "ended_from", "ended_to", "state", "type"}
}

func listParams() []string {
	return append(filterParams(), "limit", "next_token", "with_total")
}

// page is the documented envelope.
type page struct {
	Data      []overview `json:"data"`
	NextToken string     `json:"next_token,omitempty"`
	Total     *int       `json:"total,omitempty"`
}

// cursor is the content of next_token: the last run of the page before, and a
// hash of the filters.
type cursor struct {
	Created int64  `json:"c"` // Unix milliseconds
	Number  int    `json:"n"`
	Filters uint64 `json:"f"`
}

// list is GET /workflow/runs.
func (s *Server) list(c *call) answer {
	for _, name := range slices.Sorted(maps.Keys(c.query)) {
		if c.query.Get(name) == "" {
			return problemf(http.StatusBadRequest, "%s is empty", name)
		}
	}
	matches, bad := listFilter(c)
	if bad.status != 0 {
		return bad
	}
	limit := s.cfg.PageSize
	if c.query.Has("limit") {
		n, err := strconv.Atoi(c.query.Get("limit"))
		if err != nil || n < 1 {
			return problemf(http.StatusBadRequest, "limit %q is not a whole number from 1", c.query.Get("limit"))
		}
		limit = min(n, limit)
	}
	withTotal := false
	if c.query.Has("with_total") {
		switch c.query.Get("with_total") {
		case "true":
			withTotal = true
		case "false":
		default:
			return problemf(http.StatusBadRequest, "with_total %q is neither true nor false", c.query.Get("with_total"))
		}
	}
	after, bad := readCursor(c)
	if bad.status != 0 {
		return bad
	}

	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*run
	for _, r := range s.runs {
		if r.exists(now) && matches(r, now) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *run) int { return newestFirst(a.place(), b.place()) })
	p := page{Data: []overview{}}
	if withTotal {
		total := len(found)
		p.Total = &total
	}
	if after != nil {
		found = slices.DeleteFunc(found, func(r *run) bool { return newestFirst(r.place(), *after) <= 0 })
	}
	if len(found) > limit {
		found = found[:limit]
		last := found[limit-1].place()
		last.Filters = hashFilters(c)
		p.NextToken = last.token()
	}
	for _, r := range found {
		p.Data = append(p.Data, r.overview(now))
	}
	return ok(http.StatusOK, p)
}

// listFilter returns the filter of the query.
func listFilter(c *call) (func(*run, time.Time) bool, answer) {
	bounds := map[string]time.Time{}
	for _, name := range filterParams()[:4] {
		if !c.query.Has(name) {
			continue
		}
		t, bad := filterBound(name, c.query.Get(name))
		if bad.status != 0 {
			return nil, bad
		}
		bounds[name] = t
	}
	for _, what := range []string{"created", "ended"} {
		from, hasFrom := bounds[what+"_from"]
		to, hasTo := bounds[what+"_to"]
		if hasFrom && hasTo && !from.Before(to) {
			return nil, problemf(http.StatusBadRequest, "%s_from is not before %s_to", what, what)
		}
	}
	within := func(what string, t time.Time) bool {
		from, hasFrom := bounds[what+"_from"]
		to, hasTo := bounds[what+"_to"]
		if !hasFrom && !hasTo {
			return true
		}
		return !t.IsZero() && !t.Before(from) && (!hasTo || t.Before(to))
	}
	state, kind := c.query.Get("state"), c.query.Get("type")
	return func(r *run, now time.Time) bool {
		is, ended := r.state(now)
		return within("created", r.createdAt) && within("ended", ended) &&
			(state == "" || foldState(is) == foldState(state)) &&
			(kind == "" || runType(r.configID) == kind)
	}, answer{}
}

// foldState returns one spelling for "In progress" and "in-progress".
func foldState(state string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(state))
}

func (r *run) place() cursor {
	return cursor{Created: r.createdAt.UnixMilli(), Number: r.number}
}

func newestFirst(a, b cursor) int {
	return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(b.Number, a.Number))
}

func (c cursor) token() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // three numbers
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// readCursor decodes next_token. It returns nil if there is none.
func readCursor(c *call) (*cursor, answer) {
	if !c.query.Has("next_token") {
		return nil, answer{}
	}
	var after cursor
	b, err := base64.RawURLEncoding.DecodeString(c.query.Get("next_token"))
	if err == nil {
		err = json.Unmarshal(b, &after)
	}
	if err != nil {
		return nil, problemf(http.StatusBadRequest, "next_token is none that this endpoint gave")
	}
	if after.Filters != hashFilters(c) {
		return nil, problemf(http.StatusBadRequest, "next_token came from a list with other filters")
	}
	return &after, answer{}
}

func hashFilters(c *call) uint64 {
	h := fnv.New64a()
	for _, name := range filterParams() {
		_, _ = h.Write([]byte(name + "=" + c.query.Get(name) + "\x00"))
	}
	return h.Sum64()
}
