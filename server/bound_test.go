package server_test

import (
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/internal/alloctest"
)

// Large bodies, each made to cost as much as it can.
func TestALargeBodyCostsAMultipleOfItself(t *testing.T) {
	const n = 1 << 20
	fill := func(begin, some, end string) string {
		return begin + strings.Repeat(some, (n-len(begin)-len(end))/len(some)) + end
	}
	w := shop(t, nil)
	for name, body := range map[string]string{
		"rows":         fill(`{"service":"churn","entities":{"customer_id":[1`, ",1", `]}}`),
		"nulls":        fill(`{"service":"churn","entities":{"customer_id":[1`, ",null", `]}}`),
		"features":     fill(`{"features":["a"`, `,""`, `],"entities":{"customer_id":[1]}}`),
		"escapes":      fill(`{"features":["`, `\u0001`, `"],"entities":{"customer_id":[1]}}`),
		"lists":        fill(`{"service":"churn","entities":{"customer_id":[[]`, `,[]`, `]}}`),
		"depth":        fill(`{"service":"churn","entities":`, `[`, ``),
		"objects":      fill(`{"service":`, `{"a":`, ``),
		"spaces":       fill(`{"service":"churn"`, ` `, `}`),
		"fields":       fill(`{"service":"churn"`, `,"":1`, `}`),
		"a long name":  fill(`{"`, `a`, `":1}`),
		"a long value": fill(`{"service":"churn","entities":{"customer_id":["`, `a`, `"]}}`),
	} {
		t.Run(name, func(t *testing.T) {
			var code int
			var said []byte
			alloctest.AtMost(t, 48*n, func() { code, said = w.post(t, body) })
			if code != 400 && code != 413 && code != 404 {
				t.Errorf("%d %.300s", code, said)
			}
			if len(said) > 4000 {
				t.Errorf("an error of %d bytes", len(said))
			}
		})
	}
}
