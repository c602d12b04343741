package project

import (
	"context"
	"errors"
	"os/exec"
	"os/user"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/openlineage"
	"github.com/fstore-dev/fstore/registry"
)

// ApplyOptions say how a plan is applied.
type ApplyOptions struct {
	Message  string // why, for the commit
	Breaking bool   // apply even if callers of a serving service break
}

// Applied is the result of an apply.
type Applied struct {
	Commit     *registry.Commit     `json:"commit"` // nil: there were no changes
	Plan       *registry.Plan       `json:"plan"`
	Promotions []registry.Promotion `json:"promotions"` // versions that now serve and did not before
}

// Apply registers a plan atomically, and lets it serve where everything is published already. It returns ErrConflict
// if the registry has changed since the plan was made, and ErrCheck if the plan breaks callers. An error beside a
// result is about serving: the plan itself is applied.
func (p *Project) Apply(ctx context.Context, plan *registry.Plan, o ApplyOptions) (*Applied, error) {
	if plan == nil || plan.Project != p.Settings.Project {
		return nil, fstore.Errorf(fstore.ErrUsage, "the plan belongs to another project than %s", p.Settings.Project)
	}
	if err := CheckBreaking(plan); err != nil && !o.Breaking {
		return nil, err
	}
	var out *Applied
	err := p.reported(ctx, "apply", func(run *openlineage.Run) (err error) {
		p.reportPlan(run, plan)
		out, err = p.apply(ctx, plan, o)
		return err
	})
	return out, err
}

func (p *Project) apply(ctx context.Context, plan *registry.Plan, o ApplyOptions) (*Applied, error) {
	db, err := openRegistry(ctx, p.Settings.Registry)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	out := &Applied{Plan: plan, Promotions: []registry.Promotion{}}
	if !plan.Empty() {
		info := p.commitInfo(ctx)
		info.Message = o.Message
		if out.Commit, err = db.Apply(ctx, plan, info); err != nil {
			return nil, err
		}
	}
	promoted, err := p.promote(ctx, db)
	var away unread
	if errors.As(err, &away) { // an apply does not depend on the online store, and is complete
		p.notLookedAt(err)
		return out, nil
	}
	out.Promotions = append(out.Promotions, promoted...)
	return out, err
}

func (p *Project) notLookedAt(err error) {
	p.warn("cannot tell what is published: %s", err)
}

// unread says that the online store could not be read.
type unread struct{ error }

func (u unread) Unwrap() error { return u.error }

// Promote lets head's versions serve if everything they use is published. It returns those that did not serve before.
func (p *Project) Promote(ctx context.Context) ([]registry.Promotion, error) {
	db, err := p.registry(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return p.promote(ctx, db)
}

// commitInfo says who applies, when, and from which revision of the repo.
func (p *Project) commitInfo(ctx context.Context) registry.CommitInfo {
	git := func(args ...string) string {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", p.Settings.Dir}, args...)...).Output() //nolint:gosec // G204: git takes the folder as a folder only
		if err != nil {
			return "" // no git or no repository
		}
		return strings.TrimSpace(string(out))
	}
	info := registry.CommitInfo{Now: p.now(), Author: git("config", "user.email"), GitRevision: git("rev-parse", "HEAD")}
	if info.GitRevision != "" {
		info.Dirty = git("status", "--porcelain", "--", ".") != ""
	}
	if info.Author == "" {
		if u, err := user.Current(); err == nil {
			info.Author = u.Username
		}
	}
	return info
}
