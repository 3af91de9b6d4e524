package session

import "context"

// loop runs tasks one after the other in one goroutine, which so owns whatever they touch.
type loop struct {
	tasks chan task     // unbuffered
	stop  chan struct{} // closed to end run
	done  chan struct{} // closed when run has returned
}

type task struct {
	fn   func()
	done chan struct{} // closed when fn has returned
}

func newLoop() *loop {
	return &loop{tasks: make(chan task), stop: make(chan struct{}), done: make(chan struct{})}
}

// run executes tasks until stop is closed.
func (l *loop) run() {
	defer close(l.done)
	for {
		select {
		case t := <-l.tasks:
			t.fn()
			close(t.done)
		case <-l.stop:
			return
		}
	}
}

// do runs fn in the loop and waits for it. When it returns an error, RefusedEnded or the cause of ctx, fn may not have
// run, or may still: the caller must not look at what fn was to tell.
func (l *loop) do(ctx context.Context, fn func()) error {
	t := task{fn, make(chan struct{})}
	select {
	case l.tasks <- t:
	case <-l.done:
		return RefusedEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// post is do for those who have nothing to wait for but the loop itself.
func (l *loop) post(fn func()) { _ = l.do(context.Background(), fn) }
