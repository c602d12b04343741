package english

import "testing"

func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{
		0: "0%", 1: "100%", 0.5: "50%", 1.0 / 3: "33.3%", 0.625: "62.5%", 0.00012: "0.012%", 0.999: "99.9%", 2.0: "200%",
		1e-9: "<0.001%", 1 - 1e-9: ">99.9%", 0.9996: ">99.9%", 0.00001: "0.001%",
	} {
		if got := Percent(share); got != want {
			t.Errorf("%v is %s, want %s", share, got, want)
		}
	}
}
