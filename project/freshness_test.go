package project

import (
	"testing"
	"time"

	fstore "github.com/fstore-dev/fstore"
)

// The instant at which the next publication is due is late; a microsecond before is not. A schedule without a publication, and one
// of another definition, is not published, however young.
func TestFreshness(t *testing.T) {
	day := fstore.Duration(24 * time.Hour)
	daily := &fstore.Publish{Every: day, Offset: fstore.Duration(2 * time.Hour), Delay: fstore.Duration(30 * time.Minute)}
	published := time.Date(2025, 12, 1, 2, 0, 0, 0, time.UTC)
	due := time.Date(2025, 12, 2, 2, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		publish *fstore.Publish
		pointer fstore.Pointer
		now     time.Time
		state   FreshnessState
		late    int64
	}{
		{"just before it is due", daily, fstore.Pointer{Published: published, Fingerprint: "f"}, due.Add(-time.Microsecond), Fresh, 0},
		{"due", daily, fstore.Pointer{Published: published, Fingerprint: "f"}, due, Late, 0},
		{"days later", daily, fstore.Pointer{Published: published, Fingerprint: "f"}, due.AddDate(0, 0, 3), Late, 3 * 86400},
		{"published off the schedule", daily, fstore.Pointer{Published: published.Add(time.Hour), Fingerprint: "f"}, due, Late, 0},
		{"never published", daily, fstore.Pointer{}, published, NotPublished, 0},
		{"of another registry", daily, fstore.Pointer{Published: published, Fingerprint: "g"}, published, NotPublished, 0},
		{"without a schedule", nil, fstore.Pointer{Published: published, Fingerprint: "f"}, due.AddDate(10, 0, 0), NoSchedule, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &fstore.ViewVersion{Ref: fstore.ViewRef{Name: "v", Version: 1}, Fingerprint: "f", View: fstore.View{Publish: c.publish}}
			got := viewFreshness(v, c.pointer, c.now)
			if got.State != c.state || got.LateSeconds != c.late {
				t.Errorf("got %s, late by %d s; want %s, %d s", got.State, got.LateSeconds, c.state, c.late)
			}
			if want := c.publish != nil && c.pointer.Serves(v); want != got.Due.Equal(due) {
				t.Errorf("due at %s", got.Due)
			}
		})
	}
}
