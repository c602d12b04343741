package offline

import (
	"context"
	"fmt"
	"time"

	"github.com/fstore-dev/fstore"
)

// KnownBetween returns the name of a source or view that has rows whose created time is after one instant and not after
// another: a training set made as of the one lacks rows that the other would see. It is empty if there are none. It reads the
// sources' times and, of views whose SQL makes the created time, computes that.
func (e *Engine) KnownBetween(ctx context.Context, views []*fstore.ViewVersion, after, until time.Time) (string, error) {
	s, err := e.isolated(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	if err := s.lookAt(ctx, views...); err != nil {
		return "", err
	}
	if err := s.seal(ctx, nil, nil); err != nil {
		return "", err
	}
	c := cut{known: &until}
	for _, v := range views {
		for i := range v.Sources {
			if found, err := s.sourceKnownAfter(ctx, &v.Sources[i], c, after); err != nil || found {
				return "source " + v.Sources[i].Name, err
			}
		}
	}
	for i, v := range views {
		if v.View.SQL == "" || v.View.Created == "" {
			continue
		}
		from, err := s.from(ctx, v, &v.View, c, fmt.Sprintf("_known_%d", i), nil)
		if err != nil {
			return "", fmt.Errorf("view %s: %w", v.Ref, err)
		}
		times, err := timeColumns(&v.View, from[0].columns)
		if err != nil {
			return "", fmt.Errorf("view %s: %w", v.Ref, err)
		}
		if found, err := s.anyKnownAfter(ctx, times, from[0].from, c, after); err != nil || found {
			return "view " + v.Ref.String(), err
		}
	}
	return "", nil
}

func (s *session) sourceKnownAfter(ctx context.Context, def *fstore.Source, c cut, after time.Time) (bool, error) {
	if def.Static() || def.Created == "" {
		return false, nil
	}
	if err := s.checkNanos(ctx, def); err != nil {
		return false, err
	}
	src, err := s.source(ctx, def)
	if err != nil {
		return false, err
	}
	wanted, err := src.named(def.Event, def.Created)
	if err != nil {
		return false, err
	}
	for _, rel := range src.relations(c, wanted) {
		times, err := timeColumns(&fstore.View{Source: def.Name, Event: def.Event, Created: def.Created}, rel.columns)
		if err != nil {
			return false, err
		}
		if found, err := s.anyKnownAfter(ctx, times, rel.from, c, after); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// anyKnownAfter reports whether a relation, whose times give event and created, has a row that became known after an instant,
// within the cut.
func (s *session) anyKnownAfter(ctx context.Context, times []string, from string, c cut, after time.Time) (bool, error) {
	b, err := s.query(ctx, "SELECT count(*)\nFROM (\nSELECT\n  "+list(times)+"\nFROM "+from+"\n)\nWHERE event IS NOT NULL AND created > "+instant(after)+" AND created <= "+instant(*c.known))
	if err != nil {
		return false, s.locate(ctx, err)
	}
	return b.Columns[0].Int64s[0] > 0, nil
}
