package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
)

// together makes n requests, all of which are in the store at the same time, and returns those that were refused.
func (w *world) together(n int, ask func(i int) error) (refused []error) {
	var arrived atomic.Int64
	all := make(chan struct{})
	open := sync.OnceFunc(func() { close(all) })
	w.backend.Hook(func(ctx context.Context) error {
		if arrived.Add(1) == int64(n) {
			open()
		}
		select {
		case <-all:
		case <-ctx.Done():
		}
		return nil
	})
	defer w.backend.Hook(nil)
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			if errs[i] = ask(i); errs[i] != nil {
				open() // it may never arrive
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			refused = append(refused, err)
		}
	}
	return refused
}

// ordinary is a world of ten views of 50 features each, every second of which is a string.
func ordinary(t testing.TB, customers int) *world {
	p := page{Services: map[string]*fstore.FeatureList{}, Views: map[string]*fstore.ViewVersion{}}
	w := newWorld(t, func(o *server.Options) { o.Timeout = time.Hour }) // a busy machine takes its time
	for n := range 10 {
		var fs []fstore.Feature
		for i := range 50 {
			fs = append(fs, fstore.Feature{Name: fmt.Sprintf("v%d_feature_%03d", n, i), Type: []fstore.Type{fstore.Float64, fstore.String}[i%2]})
		}
		v := view(fmt.Sprint("view", strings.Repeat("_", n)), 1, customerKey, fs...)
		var rows []row
		for i := range customers {
			r := row{int64(i), now}
			for f := range fs {
				r = append(r, []any{float64(i*f) / 7, fmt.Sprintf("a text of %06d of %03d", i, f)}[f%2])
			}
			rows = append(rows, r)
		}
		publish(t, w.store, v, now, rows...)
		p.Views[v.View.Name], p.Services[v.View.Name] = v, serviceOf(v.View.Name, 1, v)
	}
	w.book.Set(p)
	return w.start(t)
}

// With the default settings, what many clients usually ask for at a time is never refused, whether or not the server
// has answered the like before.
func TestOrdinaryLoadIsNeverRefused(t *testing.T) {
	customers := func(n int) []int64 {
		ids := make([]int64, n)
		for i := range ids {
			ids[i] = int64(i)
		}
		return ids
	}
	few := func(view string) (refs []string) { // two features of every view
		for n := range 10 {
			for f := range 2 {
				refs = append(refs, fmt.Sprintf("view%s.v%d_feature_%03d=%s_%d_%d", strings.Repeat("_", n), n, f, view, n, f))
			}
		}
		return refs
	}
	for _, c := range []struct {
		name          string
		clients, keys int
		ask           func(w *world, i int, ids []int64) error
	}{
		{"64 clients, 100 keys, 50 features", 64, 100, func(w *world, _ int, ids []int64) error {
			_, err := w.client.GetOnlineFeatures(context.Background(), byService("view", int64s("customer_id", ids...)))
			return err
		}},
		{"16 clients, 1000 keys, 50 features", 16, 1000, func(w *world, _ int, ids []int64) error {
			_, err := w.client.GetOnlineFeatures(context.Background(), byService("view", int64s("customer_id", ids...)))
			return err
		}},
		{"16 clients, 1000 keys, 50 features over HTTP", 16, 1000, func(w *world, _ int, ids []int64) error {
			body := fmt.Sprintf(`{"service":"view","entities":{"customer_id":%s}}`, strings.ReplaceAll(fmt.Sprint(ids), " ", ","))
			resp, err := http.Post(w.web+"/v1/online-features", "application/json", strings.NewReader(body))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("HTTP status %d", resp.StatusCode)
			}
			return nil
		}},
		{"8 clients, 500 keys, lists of ten views that nobody else asks for", 8, 500, func(w *world, i int, ids []int64) error {
			_, err := w.client.GetOnlineFeatures(context.Background(), byRefs(few(fmt.Sprint("client", i)), int64s("customer_id", ids...)))
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ids := customers(c.keys)
			for _, before := range []struct {
				name  string
				first func(w *world)
			}{
				{"at first", func(*world) {}},
				{"after an answer of one row", func(w *world) { _ = c.ask(w, 0, ids[:1]) }},
				{"after itself", func(w *world) { w.together(c.clients, func(i int) error { return c.ask(w, i, ids) }) }},
			} {
				w := ordinary(t, c.keys)
				before.first(w)
				if refused := w.together(c.clients, func(i int) error { return c.ask(w, i, ids) }); len(refused) > 0 {
					t.Errorf("%s: %d of %d were refused: %v", before.name, len(refused), c.clients, refused[0])
				}
			}
		})
	}
}
