package fstore

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Micros returns an instant as UTC microseconds since the Unix epoch, rounded down.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// FromMicros is the inverse of Micros.
func FromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// SQL engines represent an instant before or after all others by these microseconds.
const (
	infinity      = math.MaxInt64
	minusInfinity = -math.MaxInt64
)

// FormatTime formats an instant as RFC 3339 in UTC, with microseconds if they are not zero. It returns "infinity" and
// "-infinity" for an engine's instants after and before all others.
func FormatTime(t time.Time) string {
	switch Micros(t) {
	case infinity:
		return "infinity"
	case minusInfinity:
		return "-infinity"
	}
	return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00")
}

// ParseTime reads an instant: RFC 3339, a date, or a date and time without a zone, which is UTC.
func ParseTime(s string) (time.Time, error) {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
		"2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, Errorf(ErrInvalid, "%q is not an instant", s).
		WithHint("for example 2011-12-09T12:50:00Z or 2011-12-09; UTC if it has no zone")
}

// Duration is a length of time in whole microseconds, written with the units us, ms, s, m, h, d (24 hours)
// and w: 90d, 1h30m.
type Duration time.Duration

var units = []struct {
	name string
	d    time.Duration
}{
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
	{"us", time.Microsecond},
}

// longest is the longest duration.
const longest = time.Duration(1<<63 - 1)

// Micros returns the duration in microseconds.
func (d Duration) Micros() int64 { return time.Duration(d).Microseconds() }

// String writes the duration as ParseDuration reads it, in days and the units below: 7d, 1d12h.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	rest := time.Duration(d)
	if rest < 0 {
		b.WriteByte('-')
		rest = -rest
	}
	for _, u := range units {
		if u.name == "w" { // windows and ages are usually given in days
			continue
		}
		if n := rest / u.d; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			rest -= n * u.d
		}
	}
	return b.String()
}

// ParseDuration reads a non-negative duration such as 90d or 1h30m. A number without a unit is an error.
func ParseDuration(s string) (Duration, error) {
	bad := func() (Duration, error) {
		return 0, Errorf(ErrInvalid, "%q is not a duration", s).WithHint("for example 90d, 12h or 1h30m; units us, ms, s, m, h, d, w")
	}
	var total time.Duration
	over := false
	rest := s
	for rest != "" {
		i := 0
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		j := i
		for j < len(rest) && (rest[j] < '0' || rest[j] > '9') {
			j++
		}
		n, err := strconv.ParseInt(rest[:i], 10, 64)
		tooLong := errors.Is(err, strconv.ErrRange)
		unit := time.Duration(0)
		for _, u := range units {
			if u.name == rest[i:j] {
				unit = u.d
			}
		}
		if err != nil && !tooLong || unit == 0 {
			return bad()
		}
		if tooLong || n > int64((longest-total)/unit) {
			total, over = longest, true // the rest may still be invalid
		} else {
			total += time.Duration(n) * unit
		}
		rest = rest[j:]
	}
	switch {
	case s == "":
		return bad()
	case over:
		return 0, Errorf(ErrInvalid, "%q is too long a duration", s).WithHint("at most %dd, about 292 years", longest/(24*time.Hour))
	}
	return Duration(total), nil
}

// MarshalText writes the duration as String does, but whole weeks as such. Locks and fingerprints have durations in this
// form, so it never changes.
func (d Duration) MarshalText() ([]byte, error) {
	const week = Duration(7 * 24 * time.Hour)
	if d > 0 && d%week == 0 {
		return fmt.Appendf(nil, "%dw", d/week), nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads a duration as ParseDuration does.
func (d *Duration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDuration(string(b))
	return err
}

// Publish is the batch schedule of a view (docs/point-in-time.md). Runs publish the instants offset + n·every,
// counted from the Unix epoch. A publication becomes servable delay later.
type Publish struct {
	Every  Duration `json:"every"`
	Offset Duration `json:"offset,omitzero"`
	Delay  Duration `json:"delay,omitzero"`
}

// Servable returns P(t): the last publication that is servable at t, that is, the last scheduled instant at least
// Delay before t. A nil schedule publishes continuously: P(t) = t.
func (p *Publish) Servable(t time.Time) time.Time {
	if p == nil {
		return FromMicros(Micros(t))
	}
	return p.floor(Micros(t) - p.Delay.Micros())
}

// ServableFrom returns the first instant t with Servable(t) = published: Delay after published.
func (p *Publish) ServableFrom(published time.Time) time.Time {
	if p == nil {
		return published
	}
	return published.Add(time.Duration(p.Delay))
}

// Latest returns the instant that a run for t publishes: the last scheduled instant not after t.
func (p *Publish) Latest(t time.Time) time.Time {
	if p == nil {
		return FromMicros(Micros(t))
	}
	return p.floor(Micros(t))
}

// Due returns the first instant at which the publication after published should be servable: a view that is still published
// at published then is late. A nil schedule is never due: Due is the zero time.
func (p *Publish) Due(published time.Time) time.Time {
	if p == nil {
		return time.Time{}
	}
	return p.ServableFrom(p.Latest(published).Add(time.Duration(p.Every)))
}

func (p *Publish) floor(us int64) time.Time {
	every, offset := p.Every.Micros(), p.Offset.Micros()
	rest := (us - offset) % every
	if rest < 0 {
		rest += every
	}
	return FromMicros(us - rest)
}
