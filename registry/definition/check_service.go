package definition

import (
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
)

func (c *checker) checkServices() {
	places := map[string]fstore.Pos{}
	for i := range c.repo.Services {
		spec := &c.repo.Services[i]
		if !c.name(spec.Name) || c.isDuplicate("feature_service", spec.Name, places) {
			continue
		}
		if spec.Features != nil && len(spec.Features) == 0 {
			c.problems.add(spec.Pos, "features: [view.*]", "feature_service %s has no features", spec.Name.Value)
		}
		c.services = append(c.services, c.service(spec))
	}
}

func (c *checker) service(spec *FeatureServiceSpec) ServiceVersion {
	b := &serviceBuilder{c: c, names: map[string]Text{}, columns: columns{}, sent: map[string]Text{}}
	b.out.Ref.Name = spec.Name.Value
	b.out.Service = fstore.Service{Name: spec.Name.Value, Meta: meta(spec.MetaSpec)}
	b.out.Service.MaxStaleness = c.maxStaleness(spec.MaxStaleness)
	b.mapRequest(spec.Request)
	for _, ref := range spec.Features {
		b.add(ref)
	}
	b.unusedRequest(spec.Request)
	b.checkBound(spec.MaxStaleness)
	b.out.Service.Monitor = b.monitor(spec.Monitor)
	for name, t := range b.names {
		if col, ok := b.columns[name]; ok {
			c.problems.add(t.Pos, fmt.Sprintf("{ref: %s, as: %s_value}", t.Value, name), "output %s has the name of the %s", name, col.what())
		}
	}
	return b.out
}

// maxStaleness reads a bound; nil if there is none, or if it is wrong.
func (c *checker) maxStaleness(spec *MaxStalenessSpec) *fstore.MaxStaleness {
	if spec == nil {
		return nil
	}
	out := &fstore.MaxStaleness{Beyond: fstore.BeyondFlag}
	if spec.Beyond.given() {
		out.Beyond = fstore.BeyondBound(spec.Beyond.Value)
	}
	if out.Beyond != fstore.BeyondFlag && out.Beyond != fstore.BeyondRefuse {
		c.problems.add(spec.Beyond.Pos, "flag, or refuse", "max_staleness: beyond is %q", spec.Beyond.Value)
		return nil
	}
	age := c.duration(spec.Age)
	if age == nil {
		return nil
	}
	if *age == 0 {
		c.problems.add(spec.Age.Pos, "for example 36h; leave it out if answers may be of any age", "max_staleness is 0")
		return nil
	}
	out.Age = *age
	return out
}

// checkBound warns of each view whose data is older than the bound before its schedule has the next publication: answers are
// stale again and again, although every run is on time.
func (b *serviceBuilder) checkBound(spec *MaxStalenessSpec) {
	if b.out.Service.MaxStaleness == nil {
		return
	}
	bound, seen := b.out.Service.MaxStaleness.Age, map[string]bool{}
	for _, use := range b.out.Uses {
		name := use.View.Name
		v := b.c.views[name]
		if v == nil || v.def.Publish == nil || seen[name] {
			continue
		}
		p := v.def.Publish
		if bound >= p.Every+p.Delay {
			continue
		}
		seen[name] = true
		b.c.warnings.add(spec.Age.Pos, fmt.Sprintf("max_staleness: more than %s, as a run takes its time; or publish %s more often", p.Every+p.Delay, name),
			"max_staleness is %s, but data of %s is up to %s old by its schedule", bound, name, p.Every+p.Delay)
	}
}

// serviceBuilder resolves the entries of one service.
type serviceBuilder struct {
	c       *checker
	out     ServiceVersion
	names   map[string]Text // output name → the ref that yields it
	columns columns         // columns that labels and requests must have
	sent    map[string]Text // request column → the name under which callers send it
}

func (b *serviceBuilder) add(spec RefSpec) {
	c := b.c
	if !spec.Ref.given() || spec.Ref.Value == "" {
		return
	}
	ref, err := parseFeatureRef(spec.Ref.Value, "a feature_service")
	if err != nil {
		c.problems.addError(spec.Ref.Pos, err)
		return
	}
	from := c.featuresOf(spec.Ref, ref, "the service")
	if from == nil {
		return
	}
	ref.As, ref.Prefix = spec.As.Value, spec.Prefix.Value
	if ref.Feature == "*" && spec.As.given() {
		c.problems.add(spec.As.Pos, "prefix: …, or name the features one by one", "as names a single feature, not %s", spec.Ref.Value)
		return
	}
	if from.onDemand != nil {
		b.addOnDemand(spec, ref, from)
		return
	}
	var ok bool
	if ref.Keys, ok = c.keyColumns(spec.Ref, spec.Keys, from.view, b.columns); !ok {
		return
	}
	use := b.use(from.view.def.Name, bind(from.view.def.Keys, ref.Keys))
	b.out.Service.Features = append(b.out.Service.Features, ref)
	for _, f := range from.features {
		b.output(spec, ref, f, func(as string) fstore.Output { return fstore.FeatureOutput{As: as, Use: use, Feature: f} })
	}
}

// addOnDemand adds features of an on-demand view, with what the view reads.
func (b *serviceBuilder) addOnDemand(spec RefSpec, ref fstore.FeatureRef, from *features) {
	if b.c.hasKeys(spec.Ref, spec.Keys) {
		return
	}
	b.out.Service.Features = append(b.out.Service.Features, ref)
	index := b.onDemand(spec.Ref, from.onDemand)
	for _, f := range from.features {
		b.output(spec, ref, f, func(as string) fstore.Output { return fstore.OnDemandOutput{As: as, OnDemand: index, Feature: f} })
	}
}

// onDemand returns the index of an on-demand view in the service. If it is new, it adds the view after those that it reads,
// with the look-ups and request columns that it needs.
func (b *serviceBuilder) onDemand(at Text, o *onDemandView) int {
	ref := fstore.ViewRef{Name: o.def.View.Name}
	if i := slices.Index(b.out.OnDemand, ref); i >= 0 {
		return i
	}
	for _, in := range o.def.Inputs {
		if in.OnDemand {
			b.onDemand(at, b.c.onDemand[in.Ref.Name])
			continue
		}
		if b.c.joinKeys(at, in.Ref.Name, in.Keys, b.columns, "name another column in the uses of "+ref.Name) {
			b.use(in.Ref.Name, in.Keys)
		}
	}
	for _, col := range o.def.View.Request {
		b.requestColumn(at, o, col)
	}
	b.out.OnDemand = append(b.out.OnDemand, ref)
	return len(b.out.OnDemand) - 1
}

// use returns the index of the view's look-up by these key columns and adds the look-up if it is new.
func (b *serviceBuilder) use(view string, keys []fstore.KeyBinding) int {
	for i, u := range b.out.Uses {
		if u.View.Name == view && slices.Equal(u.Keys, keys) {
			return i
		}
	}
	b.out.Uses = append(b.out.Uses, ServiceUse{View: fstore.ViewRef{Name: view}, Keys: keys})
	return len(b.out.Uses) - 1
}

func (b *serviceBuilder) output(spec RefSpec, ref fstore.FeatureRef, feature string, of func(as string) fstore.Output) {
	name := feature
	if ref.As != "" {
		name = ref.As
	}
	name = ref.Prefix + name
	pos, full := spec.Ref.Pos, ref.View+"."+feature
	if err := fstore.CheckName(name); err != nil {
		if spec.As.given() {
			pos = spec.As.Pos
		} else if spec.Prefix.given() {
			pos = spec.Prefix.Pos
		}
		b.c.problems.addError(pos, err)
		return
	}
	if first, clash := b.names[name]; clash {
		fix := fmt.Sprintf("{ref: %s, as: %s_%s}", full, ref.View, feature)
		if ref.Feature == "*" {
			fix = fmt.Sprintf("{ref: %s.*, prefix: %s_}", ref.View, ref.View)
		}
		b.c.problems.add(pos, fix, "two features are named %s: %s and %s", name, first.Value, full)
		return
	}
	b.names[name] = Text{Value: full, Pos: pos}
	b.out.Outputs = append(b.out.Outputs, of(name))
}
