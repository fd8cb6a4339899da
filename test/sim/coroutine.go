package sim

import "iter"

// coroutine runs one function after another, each until it parks. Coroutines
// are reused, because the stacks of new ones cost a tenth of a history's time.
type coroutine struct {
	do     func() // nil if it is idle
	begun  bool   // do has begun
	dies   bool   // do must end where it parked
	killed bool   // do was ended, or has ended by a panic

	yield func(struct{}) bool
	next  func() (struct{}, bool)
	stop  func()
}

// coroutine returns a coroutine for f.
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

// giveBack keeps an idle coroutine for reuse.
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

// resume runs the function until it parks. It returns false once the function
// has ended.
func (c *coroutine) resume() bool {
	c.begun = true
	c.next()
	return c.do != nil
}

// park stops the coroutine until it is resumed. It does not return if the
// coroutine is killed meanwhile.
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
