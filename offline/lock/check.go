package lock

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// A lock states many things twice: for example, the type of a feature in its list, in its view and in the output's
// columns. The digest only proves that nobody has edited the lock since a program sealed it. The checks below make
// sure that all its members agree.

// check returns an error unless a lock has everything that it names, and its members agree.
func (l *Lock) check() error {
	if err := fstore.CheckName(l.Name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	for _, check := range []func() error{l.checkViews, l.checkUses, l.checkOnDemand, l.checkFeatures, l.checkLabels, l.checkServed, l.checkSources, l.checkFiles, l.checkOutput, l.checkWithValue, l.checkRequest, l.checkTargets, l.checkContinuous, l.checkCausality} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkViews returns an error unless every view version occurs once and can be computed from its inputs in the lock.
func (l *Lock) checkViews() error {
	for i, v := range l.Views {
		switch {
		case v == nil:
			return fmt.Errorf("views: %d is null", i)
		case l.View(v.Ref) != v:
			return fmt.Errorf("views: %s is there twice", v.Ref)
		case v.Ref.Name != v.View.Name || v.Ref.Version < 1:
			return fmt.Errorf("views: %s is called %s in its definition", v.Ref, v.View.Name)
		}
		if err := checkDefinitions(v.Sources, append(slices.Clone(v.Views), v.View)); err != nil {
			return fmt.Errorf("view %s: %w", v.Ref, err)
		}
	}
	return nil
}

// checkContinuous returns an error unless the lock names the views of which training assumes continuous publication.
func (l *Lock) checkContinuous() error {
	if want := Continuous(l.Views); !slices.Equal(l.Continuous, want) {
		return fmt.Errorf("continuous: %v are named, and by the definitions it is %v", l.Continuous, want)
	}
	return nil
}

// checkDefinitions returns an error unless all views can be computed from the given sources and views. Each view
// comes after those that it reads.
func checkDefinitions(sources []fstore.Source, views []fstore.View) error {
	known := map[string]*fstore.Source{} // nil: a view
	for i := range sources {
		if _, twice := known[sources[i].Name]; twice {
			return fmt.Errorf("source %s is there twice", sources[i].Name)
		}
		known[sources[i].Name] = &sources[i]
	}
	for i := range views {
		view := &views[i]
		if _, twice := known[view.Name]; twice {
			return fmt.Errorf("%s is there twice", view.Name)
		}
		if err := checkView(view, known); err != nil {
			return fmt.Errorf("%s: %w", view.Name, err)
		}
		known[view.Name] = nil
	}
	return nil
}

// checkView returns an error unless a view can be computed from the known sources and views.
func checkView(view *fstore.View, known map[string]*fstore.Source) error {
	switch {
	case (view.Source == "") == (view.SQL == ""):
		return errors.New("either a source or SQL gives its rows")
	case view.Publish != nil && view.Publish.Every <= 0:
		return errors.New("publish.every is not positive")
	}
	if view.Source != "" {
		s := known[view.Source]
		switch {
		case s == nil:
			return fmt.Errorf("there is no source %s", view.Source)
		case view.Event != s.Event || view.Created != s.Created || view.Available != s.Available:
			return fmt.Errorf("its times are not those of source %s", s.Name)
		case !slices.Equal(view.Inputs, []string{s.Name}):
			return fmt.Errorf("it reads source %s, and inputs says %s", s.Name, strings.Join(view.Inputs, ", "))
		}
	}
	for _, name := range view.Inputs {
		if _, ok := known[name]; !ok {
			return fmt.Errorf("there is no %s, one of its inputs", name)
		}
	}
	for i, f := range view.Features {
		switch {
		case view.Feature(f.Name) != &view.Features[i]:
			return fmt.Errorf("feature %s is there twice", f.Name)
		case f.Default != nil && (f.Default.Type != f.Type || f.Default.Len != 1 || f.Default.IsNull(0)):
			return fmt.Errorf("feature %s: its default is not %s", f.Name, f.Type.WithArticle())
		}
	}
	return nil
}

// checkUses returns an error unless every use binds the keys of its view, and every view has a use.
func (l *Lock) checkUses() error {
	for i, u := range l.Uses {
		v := l.View(u.View)
		if v == nil {
			return fmt.Errorf("uses: there is no view %s", u.View)
		}
		keys := []fstore.Field{}
		for _, k := range u.Keys {
			keys = append(keys, k.Key)
		}
		if !slices.Equal(keys, append([]fstore.Field{}, v.View.Keys...)) {
			return fmt.Errorf("uses: %d binds other keys than those of %s", i, u.View)
		}
	}
	for _, v := range l.Views {
		if !slices.ContainsFunc(l.Uses, func(u Use) bool { return u.View == v.Ref }) {
			return fmt.Errorf("uses: there is none of view %s", v.Ref)
		}
	}
	return nil
}

// checkWithValue returns an error unless features have values in as many rows as the lock says at the most.
func (l *Lock) checkWithValue() error {
	for i, u := range l.Uses {
		if n := u.WithValue; n != nil && (*n < 0 || *n > l.Output.Rows) {
			return fmt.Errorf("uses: %d has a value in %d of %d rows", i, *n, l.Output.Rows)
		}
	}
	labels := len(l.Output.Columns) - len(l.Features)
	for i, f := range l.Features {
		if f.Use == nil || l.Uses[*f.Use].WithValue == nil || l.View(f.View).View.Feature(f.Feature).Default != nil {
			continue
		}
		if n, most := l.Output.Columns[labels+i].Statistics.Count, *l.Uses[*f.Use].WithValue; n > most {
			return fmt.Errorf("uses: %s has a value in %d rows, and its feature %s in %d", f.View, most, f.Name, n)
		}
	}
	return nil
}

// checkFeatures returns an error unless every feature belongs to the view that it names.
func (l *Lock) checkFeatures() error {
	for _, f := range l.Features {
		if f.Use == nil {
			if err := l.checkOnDemandFeature(&f); err != nil {
				return err
			}
			continue
		}
		if use := *f.Use; use < 0 || use >= len(l.Uses) || l.Uses[use].View != f.View {
			return fmt.Errorf("feature %s: use %d is not one of %s", f.Name, use, f.View)
		}
		if in := l.View(f.View).View.Feature(f.Feature); in == nil || in.Type != f.Type {
			return fmt.Errorf("feature %s: %s has no feature %s of type %s", f.Name, f.View, f.Feature, f.Type)
		}
	}
	return nil
}

// checkLabels returns an error unless labels are either a file, or a query with all its inputs.
func (l *Lock) checkLabels() error {
	switch {
	case (l.Labels.File == nil) == (l.Labels.SQL == ""):
		return errors.New("labels: either a file or a query makes them")
	case l.Labels.File != nil && len(l.Labels.Inputs)+len(l.Labels.Views) > 0:
		return errors.New("labels: a file makes them, and it reads no sources or views")
	}
	if err := checkDefinitions(l.Labels.Inputs, l.Labels.Views); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	return nil
}

// checkSources returns an error unless the lock has exactly the sources that its definitions name, with their files.
func (l *Lock) checkSources() error {
	read := slices.Clone(l.Labels.Inputs)
	for _, v := range l.Views {
		if l.Computed() {
			read = append(read, v.Sources...)
		}
	}
	for i := range read {
		if l.Source(&read[i]) == nil {
			return fmt.Errorf("sources: there is no %s with path %s", read[i].Name, read[i].Path)
		}
	}
	for i := range l.Sources {
		s := &l.Sources[i]
		switch {
		case len(s.Files) == 0:
			return fmt.Errorf("source %s: it has no files", s.Name)
		case l.Source(&fstore.Source{Name: s.Name, Path: s.Path}) != s:
			return fmt.Errorf("source %s: it is there twice with path %s", s.Name, s.Path)
		case !slices.ContainsFunc(read, func(r fstore.Source) bool { return r.Name == s.Name && r.Path == s.Path }):
			return fmt.Errorf("source %s: no definition has it with path %s", s.Name, s.Path)
		}
	}
	return nil
}

// checkFiles returns an error unless every path is in fstore's form, and a file that occurs twice is the same in both
// places.
func (l *Lock) checkFiles() error {
	seen := map[string]File{}
	check := func(field string, f File) error {
		if err := f.check(); err != nil {
			return fmt.Errorf("%s.%w", field, err)
		}
		if same, ok := seen[f.Path]; ok && same != f {
			return fmt.Errorf("%s: %s has another size or digest where it is named before", field, f.Path)
		}
		seen[f.Path] = f
		return nil
	}
	if f := l.Labels.File; f != nil {
		if err := check("labels.file", *f); err != nil {
			return err
		}
	}
	if l.Served != nil {
		for i, f := range l.Served.Files {
			if err := check(fmt.Sprintf("served.files[%d]", i), f); err != nil {
				return err
			}
		}
	}
	for i, s := range l.Sources {
		for j, f := range s.Files {
			if err := check(fmt.Sprintf("sources[%d].files[%d]", i, j), f); err != nil {
				return err
			}
		}
	}
	clear(seen) // the training set may have been written over one of its inputs
	return check("output", l.Output.File)
}

// checkOutput returns an error unless the columns are those of the labels, with the instant and the join keys, and
// then the features, and unless their statistics count the rows.
func (l *Lock) checkOutput() error {
	o := &l.Output
	if o.Content != ContentDigest(o.Rows, o.Columns) {
		return errors.New("output: the digest of the content is not that of its columns")
	}
	labels := len(o.Columns) - len(l.Features)
	if labels < 1 {
		return fmt.Errorf("output: it has %d columns, of which %d are features", len(o.Columns), len(l.Features))
	}
	for i, f := range l.Features {
		if c := o.Columns[labels+i]; c.Name != f.Name || c.Type != sqltype.Of(f.Type) {
			return fmt.Errorf("output: column %d is %s %s, and feature %d is %s %s", labels+i+1, c.Name, c.Type, i+1, f.Name, sqltype.Of(f.Type))
		}
	}
	seen := map[string]*Column{}
	for i := range o.Columns {
		c := &o.Columns[i]
		if folded := strings.ToLower(c.Name); seen[folded] != nil {
			return fmt.Errorf("output: column %s is there twice", c.Name)
		}
		seen[strings.ToLower(c.Name)] = c
		if err := c.Statistics.Check(o.Rows); err != nil {
			return fmt.Errorf("output: column %s: %w", c.Name, err)
		}
	}
	return l.checkLabelColumns(o.Columns[:labels])
}

// checkLabelColumns returns an error unless the labels have the instant and the join keys, in valid types.
func (l *Lock) checkLabelColumns(labels []Column) error {
	find := func(name string) *Column {
		if i := slices.IndexFunc(labels, func(c Column) bool { return c.Name == name }); i >= 0 {
			return &labels[i]
		}
		return nil
	}
	if c := find(l.Labels.Timestamp); c == nil || !sqltype.Parse(c.Type).IsTime() {
		return fmt.Errorf("labels: the output has no column %s of instants", l.Labels.Timestamp)
	}
	for _, k := range l.List().KeyColumns() {
		if err := l.checkKey(find(k.Name), k); err != nil {
			return err
		}
	}
	return nil
}
