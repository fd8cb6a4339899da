package sim

import "iter"

// coroutine runs one function after another, each until it parks. It is used
// again because a new one grows its stack anew, a tenth of a history's time.
type coroutine struct {
	do     func() // nil: it has nothing to do
	begun  bool   // do has begun
	dies   bool   // do is to end where it parked
	killed bool   // do has ended so, or by itself in the middle

	yield func(struct{}) bool
	next  func() (struct{}, bool)
	stop  func()
}

// coroutine gives one that will do f.
func (w *World) coroutine(f func()) *coroutine {
	if n := len(w.coroutines); n > 0 {
		c := w.coroutines[n-1]
		w.coroutines = w.coroutines[:n-1]
		c.do, c.begun, c.dies, c.killed = f, false, false, false
		return c
	}
	c := &coroutine{do: f}
	c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		for more := true; more; more = yield(struct{}{}) {
			c.run()
		}
	})
	return c
}

// giveBack keeps a coroutine that has ended what it did.
func (w *World) giveBack(c *coroutine) { w.coroutines = append(w.coroutines, c) }

func (c *coroutine) run() {
	defer func() {
		c.do = nil
		if why := recover(); why != nil {
			if _, ok := why.(died); !ok {
				panic(why)
			}
			c.killed = true
		}
	}()
	c.do()
}

// resume goes on until the function parks, and reports whether there is more of
// it.
func (c *coroutine) resume() bool {
	c.begun = true
	c.next()
	return c.do != nil
}

// park lets others go on until the coroutine is resumed. It does not return in
// one that is killed meanwhile.
func (c *coroutine) park() {
	c.yield(struct{}{})
	if c.dies {
		panic(died{})
	}
}

// kill ends the function where it has parked.
func (c *coroutine) kill() {
	if c.begun {
		c.dies = true
		c.next()
	}
	c.do = nil
}
