package sweep

import "sync"

// A Pool runs functions concurrently, a bounded number of them.
type Pool interface {
	// Go runs f. It blocks while as many functions run as the bound allows.
	Go(f func())
	// Wait blocks until every function has returned.
	Wait()
}

// NewPool returns a Pool of goroutines that runs at most so many functions.
func NewPool(most int) Pool { return &goroutines{free: make(chan struct{}, most)} }

type goroutines struct {
	free    chan struct{}
	running sync.WaitGroup
}

func (g *goroutines) Go(f func()) {
	g.free <- struct{}{}
	g.running.Go(func() {
		defer func() { <-g.free }()
		f()
	})
}

func (g *goroutines) Wait() { g.running.Wait() }
