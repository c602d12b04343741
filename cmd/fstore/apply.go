package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

func (a *app) applyCommand() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Register the definitions",
		Long: `Register the definitions, in one transaction. On a terminal, apply shows the plan and asks; elsewhere give --yes.
The old versions are served until the new ones have been materialized.

apply refuses a plan that breaks callers of a serving service, unless --breaking is given. A plan breaks callers if they
must send another key column, if an output is removed or changes its type, if the service is removed, or if a key
column that they may send becomes unknown.`,
		Example: "  fstore apply\n  fstore apply --yes --message 'returns count against the order'\n  fstore apply --yes --breaking",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !f.yes && !terminal(a.stdin) {
				return &usageError{message: "apply asks first, but this is not a terminal", hint: "give --yes to apply without being asked"}
			}
			if !f.yes && a.json() {
				return usagef(cmd, "--output json does not ask: give --yes too")
			}
			return a.apply(cmd.Context(), f)
		},
	}
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&f.breaking, "breaking", false, "apply even if callers of a serving service break")
	cmd.Flags().StringVarP(&f.message, "message", "m", "", "reason for the change, recorded with the commit")
	a.engineFlags(cmd)
	return cmd
}

// applyFlags are those of apply.
type applyFlags struct {
	yes, breaking bool
	message       string
}

func (a *app) apply(ctx context.Context, f applyFlags) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	defs, err := a.definitions(ctx, s)
	if err != nil {
		return err
	}
	db, err := registry.Open(ctx, s.Registry.reveal())
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := db.Plan(ctx, s.Project, defs)
	if err != nil {
		return err
	}
	a.estimate(ctx, s, db, p)
	if !a.json() {
		if err := a.printPlan(p); err != nil {
			return err
		}
	}
	if err := refuseBreaking(p); err != nil && !f.breaking {
		return err
	}
	var commit *registry.Commit
	if !p.Empty() {
		if !f.yes && !a.confirm(ctx) {
			fmt.Fprintln(a.stdout, "Nothing was applied.")
			return exitCode(statusFailed)
		}
		info := commitInfo(ctx, s.Dir)
		info.Now, info.Message = a.now(), f.message
		if commit, err = db.Apply(ctx, p, info); err != nil {
			return err
		}
	}
	promoted, promoting := a.promoteReachable(ctx, s, db)
	return errors.Join(a.printApplied(p, commit, promoted), promoting) // what is applied is, whatever came behind it
}

// promoteReachable is promote where the online store can be read; an apply does not depend on it, and has happened.
func (a *app) promoteReachable(ctx context.Context, s *Settings, db *registry.DB) ([]registry.Promotion, error) {
	store, err := openStore(s)
	if err != nil {
		a.notLookedAt(err)
		return nil, nil
	}
	defer store.Close()
	promoted, err := a.promote(ctx, s, db, store)
	var away unread
	if errors.As(err, &away) {
		a.notLookedAt(err)
		return nil, nil
	}
	return promoted, err
}

func (a *app) notLookedAt(err error) {
	fmt.Fprintf(a.stderr, "warning: what is published was not looked at: %s\n", err)
}

// unread says that the online store could not be read.
type unread struct{ error }

func (u unread) Unwrap() error { return u.error }

// promote lets head's versions serve where everything they use is published. The error is an unread where that could
// not be seen.
func (a *app) promote(ctx context.Context, s *Settings, db *registry.DB, store *online.Store) ([]registry.Promotion, error) {
	snap, err := db.Snapshot(ctx, s.Project)
	if err != nil {
		return nil, err
	}
	published, err := publishedInstants(ctx, snap, store)
	if err != nil {
		return nil, unread{err}
	}
	return db.Promote(ctx, s.Project, published, a.now())
}

// publishedInstants returns the instant each live view version is published at; those that are not are
// absent, and so are those that another registry published under the same name.
func publishedInstants(ctx context.Context, snap *registry.Snapshot, store *online.Store) (map[fstore.ViewRef]time.Time, error) {
	live := snap.Live()
	pointers, err := livePointers(ctx, live, store)
	if err != nil {
		return nil, err
	}
	published := make(map[fstore.ViewRef]time.Time, len(pointers))
	for _, v := range live {
		if p, ok := pointers[v.Ref]; ok && p.Fingerprint == v.Fingerprint {
			published[v.Ref] = p.Published
		}
	}
	return published, nil
}

// livePointers reads the pointers of view versions in one round trip; those without one are absent.
func livePointers(ctx context.Context, live []*fstore.ViewVersion, store *online.Store) (map[fstore.ViewRef]fstore.Pointer, error) {
	refs := make([]fstore.ViewRef, len(live))
	for i, v := range live {
		refs[i] = v.Ref
	}
	return store.Pointers(ctx, refs)
}

// confirm asks. No answer is no, and so is a signal.
func (a *app) confirm(ctx context.Context) bool {
	fmt.Fprint(a.stderr, "\nApply this? Only yes applies it: ")
	answered := make(chan string, 1)
	go func() { // if nobody answers it ends with the program: reading cannot be stopped
		answer, err := bufio.NewReader(a.stdin).ReadString('\n')
		if err != nil {
			fmt.Fprintln(a.stderr) // the answer did not end the line
		}
		answered <- strings.TrimSpace(answer)
	}()
	select {
	case answer := <-answered:
		return answer == "yes"
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return false
	}
}

// commitInfo says who applies, and from which revision of the repo's own history.
func commitInfo(ctx context.Context, dir string) registry.CommitInfo {
	git := func(args ...string) string {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output() //nolint:gosec // G204: git takes dir as a folder only
		if err != nil {
			return "" // no git, or no repository: then nothing is known of it
		}
		return strings.TrimSpace(string(out))
	}
	info := registry.CommitInfo{Author: git("config", "user.email"), GitRevision: git("rev-parse", "HEAD")}
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

func (a *app) printApplied(p *registry.Plan, commit *registry.Commit, promoted []registry.Promotion) error {
	if a.json() {
		p.Changes = append([]registry.Change{}, p.Changes...)
		return a.printJSON(struct {
			Commit     *registry.Commit     `json:"commit"`
			Plan       *registry.Plan       `json:"plan"`
			Promotions []registry.Promotion `json:"promotions"`
		}{commit, p, append([]registry.Promotion{}, promoted...)})
	}
	if commit != nil {
		fmt.Fprintf(a.stdout, "Applied as commit %d.\n", commit.ID)
	}
	a.printPromotions(promoted)
	if commit != nil && len(p.Materialize) > 0 {
		fmt.Fprintln(a.stdout, "Next: fstore materialize")
	}
	return nil
}

// printPromotions says what serves now that did not before.
func (a *app) printPromotions(promoted []registry.Promotion) {
	for _, kind := range []registry.Kind{registry.KindView, registry.KindService} {
		var names []string
		for _, p := range promoted {
			switch {
			case p.Kind != kind:
			case p.From == 0:
				names = append(names, fmt.Sprintf("%s@%d", p.Name, p.To))
			default:
				names = append(names, fmt.Sprintf("%s@%d instead of @%d", p.Name, p.To, p.From))
			}
		}
		if len(names) > 0 {
			fmt.Fprintf(a.stdout, "Served now: %s %s\n", kind, strings.Join(names, ", "))
		}
	}
}
