package system

import (
	"context"
	"syscall"
	"testing"

	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis/redistest"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// TestTheShopOverBothStores is the shortest way through the program: what the other tests here break in every way.
func TestTheShopOverBothStores(t *testing.T) {
	for name, url := range map[string]string{"sqlite": "", "redis": redistest.New(t).URL} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, url)
			r.must("init", ".")
			r.must("apply", "--yes")
			r.must("materialize", "--to", "2025-12-01")
			b := r.backend()
			store := online.New(b, "shop")
			p, ok, err := store.Pointer(context.Background(), fstore.ViewRef{Name: "customer_orders", Version: 1})
			if err != nil || !ok {
				t.Fatalf("customer_orders@1 is not published: %v", err)
			}
			if mine, others := records(dump(t, b), p.Generation); len(mine) != 241 || others == 0 {
				t.Errorf("%d records of customer_orders, %d others", len(mine), others)
			}
			s := r.serve()
			answer, err := s.client.GetOnlineFeatures(context.Background(), &fstorev1.GetOnlineFeaturesRequest{
				Selection: &fstorev1.GetOnlineFeaturesRequest_Service{Service: "churn"},
				Entities:  []*fstorev1.Column{{Name: "customer_id", Int64Values: []int64{12003}}},
			})
			if err != nil || answer.GetRows() != 1 {
				t.Fatalf("%v, %v\n%s", answer, err, s.log)
			}
			if s.signal(syscall.SIGTERM); s.wait() != 0 {
				t.Errorf("serve ended badly:\n%s", s.log)
			}
		})
	}
}
