package sweep

import "sync"

// A Pool runs a bounded number of functions concurrently.
type Pool interface {
	// Go runs f concurrently. It blocks until fewer functions run than the bound
	// allows.
	Go(f func())
	// Wait blocks until every function has returned.
	Wait()
}

// NewPool returns a Pool of goroutines, at most most of them at the same time.
func NewPool(most int) Pool { return &goroutines{free: make(chan struct{}, most)} }

type goroutines struct {
	free    chan struct{}
	running sync.WaitGroup
}

// Go implements [Pool].
func (g *goroutines) Go(f func()) {
	g.free <- struct{}{}
	g.running.Go(func() {
		defer func() { <-g.free }()
		f()
	})
}

// Wait implements [Pool].
func (g *goroutines) Wait() { g.running.Wait() }
