package amperitytest

import (
	"slices"
	"time"
)

// admit counts a request against the rate limit. It returns 0 if the request is
// within the limit, or how long to wait.
func (s *Server) admit(now time.Time) time.Duration {
	if s.cfg.RateLimit < 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed = slices.DeleteFunc(s.passed, func(t time.Time) bool { return !now.Before(t.Add(time.Second)) })
	if len(s.passed) < s.cfg.RateLimit {
		s.passed = append(s.passed, now)
		return 0
	}
	return s.passed[0].Add(time.Second).Sub(now)
}

// retryAfter returns a wait for the header: in whole seconds, rounded up.
func retryAfter(wait time.Duration) string {
	return itoa(int((wait + time.Second - 1) / time.Second))
}
