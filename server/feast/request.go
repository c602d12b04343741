package feast

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server"
)

// request is what a request asks for, beside its columns.
type request struct {
	service  string
	refs     []string // as Feast writes them; nil where a service is named
	full     bool     // names features view__feature
	versions bool     // asks for the versions of views
	stale    string   // the stale views of the answer
}

const refHint = "such as driver_stats:conv_rate, or driver_stats@v2:conv_rate for version 2"

// resolve returns the target of a request, and the names that its answer gives to the features.
func (a *API) resolve(ctx context.Context, r *request) (*server.Target, *names, error) {
	if r.refs == nil {
		return a.resolveService(ctx, r)
	}
	refs, err := ownRefs(r.refs)
	if err != nil {
		return nil, nil, err
	}
	t, err := a.core.Resolve(ctx, "", refs)
	if err != nil {
		return nil, nil, err
	}
	n := namesOf(t, namesKey{full: r.full, listed: true})
	return t, n, n.clash
}

// resolveService resolves a feature service, which may be named with a version: service@2.
func (a *API) resolveService(ctx context.Context, r *request) (*server.Target, *names, error) {
	name, stated, versioned := strings.Cut(r.service, "@")
	t, err := a.core.Resolve(ctx, name, nil)
	if err != nil {
		return nil, nil, err
	}
	if versioned {
		version, err := parseVersion(stated)
		if err != nil {
			return nil, nil, err
		}
		if is := t.List.Service.Version; version != is {
			return nil, nil, fstore.Errorf(fstore.ErrNotReady, "version %d of service %s serves, not version %d", is, name, version).
				WithHint("name the service without a version, or ask fstore's own API for a model that is pinned to the version")
		}
	}
	n := namesOf(t, namesKey{full: r.full})
	return t, n, n.clash
}

// ownRefs returns references as fstore writes them. Each feature gets a name that no other has: what callers call it is
// decided later, since Feast's names with versions are no names of features here.
func ownRefs(refs []string) ([]string, error) {
	size := 0
	for _, ref := range refs {
		size += len(ref) + len("@=p1000")
	}
	text := make([]byte, 0, size) // one string for all of them
	ends := make([]int, len(refs))
	for i, ref := range refs {
		view, feature, ok := strings.Cut(ref, ":")
		if !ok {
			return nil, fstore.Errorf(fstore.ErrInvalid, "%q is not view:feature", ref).WithHint(refHint)
		}
		view, version, versioned := strings.Cut(view, "@")
		if fstore.CheckName(view) != nil || fstore.CheckName(feature) != nil {
			return nil, fstore.Errorf(fstore.ErrInvalid, "%q is not view:feature: names have lower-case letters, digits and _", ref).WithHint(refHint)
		}
		text = append(text, view...)
		alias := "=f"
		if versioned && !strings.EqualFold(version, "latest") {
			n, err := parseVersion(version)
			if err != nil {
				return nil, fstore.Errorf(fstore.ErrInvalid, "%q: %s", ref, fstore.MessageOf(err)).WithHint(refHint)
			}
			text = strconv.AppendInt(append(text, '@'), int64(n), 10)
			alias = "=" + pinned
		}
		text = append(append(append(text, '.'), feature...), alias...)
		text = strconv.AppendInt(text, int64(i), 10)
		ends[i] = len(text)
	}
	all, from := string(text), 0
	out := make([]string, len(refs))
	for i, end := range ends {
		out[i], from = all[from:end], end
	}
	return out, nil
}

// pinned begins the names that ownRefs gives to features of a view with a version.
const pinned = "p"

// parseVersion reads a version: v2 or 2.
func parseVersion(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimPrefix(s, "v"), "V"))
	if err != nil || n < 1 {
		return 0, fstore.Errorf(fstore.ErrInvalid, "%q is not a version", s).WithHint("such as v2")
	}
	return n, nil
}

// names are what the answers of a target call its features.
type names struct {
	list  []string
	wire  []byte // encoded: the fields of a FeatureList
	clash error  // two features would have one name
}

// namesKey tells the names of a target apart. listed says that ownRefs has named its features.
type namesKey struct{ full, listed bool }

func namesOf(t *server.Target, key namesKey) *names {
	return t.Keep(key, func(list *fstore.FeatureList) any { return newNames(list, key) }).(*names)
}

func newNames(list *fstore.FeatureList, key namesKey) *names {
	n := &names{}
	first := map[string]string{}
	for _, f := range list.Describe().Features {
		view, name := f.View.Name, f.Name
		if key.listed {
			if name[:1] == pinned {
				view += "@v" + strconv.Itoa(f.View.Version)
			}
			name = f.Feature
		}
		ref := view + ":" + f.Feature
		if key.full && name == f.Feature { // a service's own name for a feature stays
			name = view + "__" + name
		}
		if other, ok := first[name]; ok && n.clash == nil {
			n.clash = clash(name, other, ref, key)
		}
		first[name] = ref
		n.list = append(n.list, name)
		n.wire = appendHead(n.wire, 1, len(name))
		n.wire = append(n.wire, name...)
	}
	return n
}

func clash(name, one, other string, key namesKey) error {
	e := fstore.Errorf(fstore.ErrInvalid, "two features are named %s: %s and %s", name, one, other)
	if one == other || key.full {
		return e.WithHint("ask for each feature once")
	}
	return e.WithHint("send full_feature_names: true")
}

// reply is an answer with what it is called.
type reply struct {
	*online.Answer
	target   *server.Target
	names    *names
	keys     []fstore.Column // the request's columns that the features read, in its order
	versions bool
}

// lookup answers a request, whose columns are read once it is known what the features need. The caller releases the answer.
func (a *API) lookup(ctx context.Context, r *request, columns func(*server.Target) ([]fstore.Column, error), h *server.Hold) (*reply, error) {
	t, n, err := a.resolve(ctx, r)
	if err != nil {
		return nil, err
	}
	keys, err := columns(t)
	if err != nil {
		return nil, err
	}
	answer, err := a.core.Lookup(ctx, t, keys, online.WithEventTimes, h)
	if err != nil {
		return nil, err
	}
	out := &reply{answer, t, n, slices.DeleteFunc(keys, func(c fstore.Column) bool { return !t.Reads(c.Name) }), r.versions}
	if err := out.check(); err != nil {
		answer.Release()
		return nil, err
	}
	r.stale = staleViews(answer)
	return out, nil
}

// served logs a reply that was written and can no longer be refused, and passes on what it is given.
func (a *API) served(ctx context.Context, r *reply, written *[]byte, err error) (*[]byte, error) {
	if err == nil {
		a.core.LogServed(ctx, r.target, r.keys, r.Answer)
	}
	return written, err
}

// check returns why Feast's types cannot carry an answer.
func (r *reply) check() error {
	for i := range r.Features {
		c := &r.Features[i].Column
		c.Name = r.names.list[i]
		if err := server.CheckText(c); err != nil {
			return err
		}
		if err := wholeSeconds(c); err != nil {
			return err
		}
	}
	for i := range r.keys {
		if err := wholeSeconds(&r.keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// wholeSeconds returns ErrCheck unless every instant of a column is a whole second: a rounded one would not be what
// training has.
func wholeSeconds(c *fstore.Column) error {
	if c.Type.Elem() != fstore.Timestamp {
		return nil
	}
	for _, us := range c.Int64s {
		if us%microsOfSecond != 0 {
			return fstore.Errorf(fstore.ErrCheck, "%s is %s, and Feast's instants are whole seconds", c.Name, fstore.FormatTime(fstore.FromMicros(us))).
				WithHint("round the feature in its view, or ask fstore's own API")
		}
	}
	return nil
}

const microsOfSecond = 1_000_000
