package arrival

import "strings"

// warn looks for what is allowed but probably not meant, in a file without
// faults.
func (p *routesParser) warn(r *Routes) {
	for i, route := range r.routes {
		if !takesRange(route.ConfigID) {
			p.warnf(route.at, "%.60s takes no date range: a file of any window starts the same run", route.ConfigID)
		}
		for place, f := range route.Files {
			key, bucket := f.pattern.witness(), route.Bucket
			if by, hidden := r.ignoredBy(key); hidden {
				p.warnf(f.at.position, "no file starts this: %.100q under \"ignore\" covers all that the pattern matches", by)
				continue
			}
			for _, h := range r.hits(Arrival{Bucket: bucket, Key: key}, nil) {
				other := r.routes[h.route]
				switch {
				case h.route == i && h.place < place:
					p.warnf(f.at.position, "the pattern adds nothing: %.100q of the same route matches all that it does", h.pattern.text)
				case h.route > i && h.pattern.text == f.Pattern:
					// Said at the other one.
				case h.route != i:
					p.warnf(f.at.position, "its files start the route %.60q too, by %.100q; fine if both runs are wanted", other.Name, h.pattern.text)
				}
			}
		}
	}
}

// witness is a key that stands for all that the pattern matches: a pattern
// that matches it and is not made for it matches those too, since what the
// stars stand for in it is written in a character that no pattern has.
func (p *pattern) witness() string {
	const some = "\x01"
	var b strings.Builder
	for _, o := range p.ops {
		switch o.kind {
		case literal:
			b.WriteString(o.lit)
		case year:
			b.WriteString("2026")
		case month:
			b.WriteString("11")
		case day, hour:
			b.WriteString("22")
		case star:
			b.WriteString(some)
		case deep:
			b.WriteString(some + "/" + some)
		case folders:
			b.WriteString(some + "/")
		}
	}
	return b.String()
}
