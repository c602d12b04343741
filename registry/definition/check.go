package definition

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// checker holds what is known about a repo while it is checked. A definition with a mistake keeps its name and its
// correct parts, so that each mistake is reported once.
type checker struct {
	ctx    context.Context //nolint:containedctx // lives as long as one call of Check
	engine Engine
	repo   *Repo
	prints *Fingerprinter

	problems  Problems
	warnings  Problems
	unchecked Problems
	compared  int   // names compared for suggestions
	failed    error // an error of the engine that no definition causes

	entities map[string]*entity
	sources  map[string]*source
	views    map[string]*view
	onDemand map[string]*onDemandView
	ordered  []*onDemandView // each after those that it reads
	path     []string        // the on-demand views that are underway, each read by the one before it
	services []ServiceVersion
}

type entity struct {
	def fstore.Entity
	ok  bool
}

type source struct {
	spec    *SourceSpec
	def     fstore.Source
	columns []fstore.EngineColumn // as SQL sees them; nil if unknown
	ok      bool
}

type view struct {
	spec    *FeatureViewSpec
	def     fstore.View
	text    string // the SQL text
	query   *sqlgate.Query
	ok      bool
	checked progress // state of the walk over the views' inputs
}

type progress int

const (
	unchecked progress = iota
	underway
	done
)

// Check finds everything that is wrong with a repo and returns it as Problems, including the loader's. If nothing is
// wrong, it returns the definitions with their warnings. Any other error means that the engine or the files cannot be
// used at all.
func Check(ctx context.Context, repo *Repo, engine Engine) (*Definitions, error) {
	c := &checker{
		ctx: ctx, engine: engine, repo: repo, prints: NewFingerprinter(engine), problems: slices.Clone(repo.Problems),
		entities: map[string]*entity{}, sources: map[string]*source{}, views: map[string]*view{}, onDemand: map[string]*onDemandView{},
	}
	c.readEntities()
	c.readSources()
	c.readViews()
	c.readOnDemand()
	for _, name := range slices.Sorted(maps.Keys(c.views)) {
		c.checkView(c.views[name], nil)
	}
	for _, name := range slices.Sorted(maps.Keys(c.onDemand)) {
		c.checkOnDemand(c.onDemand[name])
	}
	c.checkServices()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.failed != nil {
		return nil, fmt.Errorf("check the definitions: %w", c.failed)
	}
	if len(c.problems) > 0 {
		return nil, c.problems.sorted()
	}
	return c.definitions()
}

// definitions collects the result once nothing is wrong.
func (c *checker) definitions() (*Definitions, error) {
	d := &Definitions{Services: c.services, Warnings: c.warnings.sorted(), Unchecked: c.unchecked.sorted(), prints: c.prints}
	for _, name := range slices.Sorted(maps.Keys(c.entities)) {
		d.Entities = append(d.Entities, c.entities[name].def)
	}
	for _, name := range slices.Sorted(maps.Keys(c.sources)) {
		d.Sources = append(d.Sources, c.sources[name].def)
	}
	for _, name := range slices.Sorted(maps.Keys(c.views)) {
		v := c.closure(c.views[name])
		var err error
		if v.Fingerprint, err = c.prints.View(c.ctx, &v); err != nil {
			return nil, err
		}
		d.Views = append(d.Views, v)
	}
	versions := d.versions()
	for _, o := range c.ordered {
		var err error
		if o.def.Fingerprint, err = OnDemandFingerprint(&o.def, versions); err != nil {
			return nil, err
		}
		d.OnDemand = append(d.OnDemand, o.def)
	}
	for i := range d.Services {
		d.Services[i].Fingerprint = ServiceFingerprint(&d.Services[i], versions)
	}
	slices.SortFunc(d.Services, func(a, b ServiceVersion) int { return a.Ref.Compare(b.Ref) })
	return d, nil
}

// closure returns a view with the sources and views that it reads, directly or indirectly.
func (c *checker) closure(v *view) fstore.ViewVersion {
	out := fstore.ViewVersion{Ref: fstore.ViewRef{Name: v.def.Name}, View: v.def}
	sources := map[string]bool{}
	seen := map[string]bool{}
	var visit func(v *view)
	visit = func(v *view) {
		for _, input := range v.def.Inputs {
			if up := c.views[input]; up == nil {
				sources[input] = true
			} else if !seen[input] {
				seen[input] = true
				visit(up)
				out.Views = append(out.Views, up.def)
			}
		}
	}
	visit(v)
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		out.Sources = append(out.Sources, c.sources[name].def)
	}
	return out
}

// maxCompared bounds the cost of suggestions: thousands of wrong names among thousands of names would take minutes.
const maxCompared = 1_000_000

// suggest returns a hint with the repo's name that is nearest to an unknown one. It stops once maxCompared is
// reached.
func (c *checker) suggest(name string, known ...iter.Seq[string]) string {
	if c.compared > maxCompared {
		return ""
	}
	var all []string
	for _, some := range known {
		all = slices.AppendSeq(all, some)
	}
	c.compared += len(all)
	return fstore.DidYouMean(name, all)
}
