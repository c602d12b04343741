package project

import (
	"context"
	"fmt"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// VerifiedVerdict is a verdict of a lock beside that of the same check now.
type VerifiedVerdict struct {
	View    fstore.ViewRef `json:"view"`
	Result  VerdictResult  `json:"result"`
	Then    string         `json:"then"`              // the lock's verdict
	Now     string         `json:"now,omitempty"`     // absent if the lock's training set was not checked
	Problem string         `json:"problem,omitempty"` // why the check fails now
	Hint    string         `json:"hint,omitempty"`    // what would fix it
}

// VerdictResult says how two verdicts compare.
type VerdictResult string

// The results.
const (
	SameVerdict      VerdictResult = "same"
	DifferentVerdict VerdictResult = "different"
	NoVerdict        VerdictResult = lock.Unchecked // with --leak-check off, or by a build that did not check
)

func (v *VerifiedVerdict) String() string {
	switch {
	case v.Problem != "":
		first, _, _ := strings.Cut(v.Problem, "\n")
		return fmt.Sprintf("%s: %s when it was created; now %s", v.View, v.Then, first)
	case v.Result == DifferentVerdict:
		return fmt.Sprintf("%s: %s when it was created, %s now", v.View, v.Then, v.Now)
	}
	return fmt.Sprintf("%s: %s", v.View, v.Then)
}

// lockedVerdicts returns the verdicts of a lock. A lock of a build that did not check has none.
func lockedVerdicts(l *lock.Lock) []lock.Causality {
	if l.Causality != nil {
		return l.Causality
	}
	var out []lock.Causality
	for _, v := range l.Views {
		if lock.NeedsCheck(v) {
			out = append(out, lock.Causality{View: v.Ref, Verdict: lock.Unchecked})
		}
	}
	return out
}

// repeatCheck returns the check for leaks of a lock, at as many instants as then. What it finds goes into the result.
func repeatCheck(engine *offline.Engine, l *lock.Lock, out *VerifiedSet) trainset.Check {
	return func(ctx context.Context, files *trainset.Pinned, last *time.Time) error {
		out.Causality = nil
		for _, then := range lockedVerdicts(l) {
			v := VerifiedVerdict{View: then.View, Then: then.Verdict, Result: NoVerdict}
			if then.Verdict != lock.Unchecked {
				req := offline.CausalityRequest{Instants: int(then.Instants), AsOf: statedAsOf(l), Until: last, Read: then.Read, Files: files}
				if err := v.repeat(ctx, engine, l.View(then.View), req); err != nil {
					return err
				}
			}
			out.OK = out.OK && v.Problem == ""
			out.Causality = append(out.Causality, v)
		}
		return nil
	}
}

// repeat checks a view again.
func (v *VerifiedVerdict) repeat(ctx context.Context, engine *offline.Engine, view *fstore.ViewVersion, req offline.CausalityRequest) error {
	now := &CheckedView{}
	found, err := engine.CheckCausality(ctx, view, req)
	if err == nil {
		now.Causality = found.Causality
	} else if now, err = failedView(v.View, err); err != nil {
		return err
	}
	v.Now, v.Problem, v.Hint, v.Result = now.Verdict, now.Problem, now.Hint, SameVerdict
	if v.Now != v.Then {
		v.Result = DifferentVerdict
	}
	return nil
}

// statedAsOf returns the knowledge cut-off of a lock; nil if the default was taken, which the check does not apply.
func statedAsOf(l *lock.Lock) *time.Time {
	if l.AsOf.Equal(l.Created) {
		return nil
	}
	return &l.AsOf
}
