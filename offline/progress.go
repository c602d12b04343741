package offline

import (
	"time"

	"github.com/fstore-dev/fstore/offline/trainset"
)

// report calls the request's Progress until stop is called. stop waits for the last call.
func (t *training) report(stage string) (stop func()) {
	if t.req.Progress == nil {
		return func() {}
	}
	t.req.Progress(trainset.Progress{Stage: stage})
	ended, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				t.req.Progress(trainset.Progress{Stage: stage, Done: t.conn.Progress()})
			}
		}
	}()
	return func() {
		close(ended)
		<-finished
	}
}
