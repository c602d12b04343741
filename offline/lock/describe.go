package lock

import "github.com/fstore-dev/fstore"

// Describe fills in what a list of features says: the service, the features, their uses, and the definitions of their views.
func (l *Lock) Describe(list *fstore.FeatureList) {
	l.Service, l.OnDemand = nil, list.OnDemand
	l.Features, l.Uses, l.Views = []Feature{}, []Use{}, []*fstore.ViewVersion{}
	if list.Service.Name != "" {
		l.Service = &list.Service
	}
	for _, u := range list.Uses {
		l.Uses = append(l.Uses, Use{View: u.Version.Ref, Keys: u.Keys})
		if l.View(u.Version.Ref) == nil {
			l.Views = append(l.Views, u.Version)
		}
	}
	l.Continuous = Continuous(l.Views)
	describe := list.Describe()
	for i, o := range list.Outputs {
		from := describe.Features[i]
		f := Feature{Name: from.Name, View: from.View, Feature: from.Feature, Type: from.Type}
		switch o := o.(type) {
		case fstore.FeatureOutput:
			f.Use = &o.Use
		case fstore.OnDemandOutput: // has none
		}
		l.Features = append(l.Features, f)
	}
}
