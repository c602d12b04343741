package client

import (
	"unsafe"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// Answer is the features of all rows, column by column, in the order requested, and the versions that answered.
type Answer struct {
	answers.Answer
	Service fstore.ViewRef  // the service and its version; zero if the request named no service
	Model   fstore.ModelRef // the model and its version, never an alias; zero if the request named no model
	Traffic Traffic         // what the call sent and received
}

// Feature returns the feature of an output name, or nil.
func (a *Answer) Feature(name string) *answers.Feature {
	for i := range a.Features {
		if a.Features[i].Column.Name == name {
			return &a.Features[i]
		}
	}
	return nil
}

func requestOf(r *Request) *fstorev1.GetOnlineFeaturesRequest {
	req := &fstorev1.GetOnlineFeaturesRequest{EventTimestamps: r.EventTimes == answers.WithEventTimes}
	switch {
	case r.Service != "":
		req.Selection = &fstorev1.GetOnlineFeaturesRequest_Service{Service: r.Service}
	case r.Model.Name != "":
		req.Selection = &fstorev1.GetOnlineFeaturesRequest_Model{Model: modelOf(r.Model)}
	default:
		req.Selection = &fstorev1.GetOnlineFeaturesRequest_Features{Features: &fstorev1.FeatureRefs{Refs: r.Features}}
	}
	for i := range r.Keys {
		req.Entities = append(req.Entities, fstorev1.NewColumn(&r.Keys[i]))
	}
	return req
}

func describeRequestOf(s Selection) *fstorev1.DescribeFeaturesRequest {
	switch {
	case s.Service != "":
		return &fstorev1.DescribeFeaturesRequest{Selection: &fstorev1.DescribeFeaturesRequest_Service{Service: s.Service}}
	case s.Model.Name != "":
		return &fstorev1.DescribeFeaturesRequest{Selection: &fstorev1.DescribeFeaturesRequest_Model{Model: modelOf(s.Model)}}
	}
	return &fstorev1.DescribeFeaturesRequest{Selection: &fstorev1.DescribeFeaturesRequest_Features{
		Features: &fstorev1.FeatureRefs{Refs: s.Features},
	}}
}

func modelOf(m fstore.ModelRef) *fstorev1.ModelRef {
	return &fstorev1.ModelRef{Name: m.Name, Version: m.Version}
}

// answerFrom converts a message to an answer, which shares the message's values. It returns an error if the message
// is inconsistent.
func answerFrom(r *fstorev1.GetOnlineFeaturesResponse, events answers.EventTimes) (*Answer, error) {
	a := &Answer{
		Service: serviceFrom(r.GetService()), Model: modelFrom(r.GetModel()),
		Answer: answers.Answer{Rows: int(r.GetRows()), Features: make([]answers.Feature, len(r.GetFeatures()))},
	}
	if r.ReplayedMicros != nil {
		a.Replayed = fstore.FromMicros(r.GetReplayedMicros())
	}
	if r.ClockMicros != nil {
		a.Clock = fstore.FromMicros(r.GetClockMicros())
	}
	a.Builds = answers.Builds{Zones: r.GetBuilds().GetZones(), Unicode: r.GetBuilds().GetUnicode()}
	for _, v := range r.GetOnDemand() {
		a.OnDemand = append(a.OnDemand, fstore.ViewRef{Name: v.GetName(), Version: int(v.GetVersion())})
	}
	for i, f := range r.GetFeatures() {
		var err error
		if a.Features[i], err = featureFrom(f, a.Rows, events); err != nil {
			return nil, err
		}
	}
	for _, v := range r.GetViews() {
		a.Versions = append(a.Versions, answers.Version{
			Ref:        fstore.ViewRef{Name: v.GetName(), Version: int(v.GetVersion())},
			Generation: fstore.Generation(v.GetGeneration()), Published: fstore.FromMicros(v.GetPublishedMicros()),
			Stale: v.GetStale(),
		})
	}
	return a, nil
}

func featureFrom(f *fstorev1.Feature, rows int, events answers.EventTimes) (out answers.Feature, err error) {
	if out.Column, err = fstorev1.ColumnOf(f); err != nil {
		return out, err
	}
	if n := out.Column.Len; n != rows {
		return out, fstore.Errorf(fstore.ErrCorrupt, "feature %s has %d values for %d rows", f.GetName(), n, rows)
	}
	statuses, times, valid := f.GetStatuses(), f.GetEventTimestamps(), f.GetEventValidity()
	if n := len(statuses); n > 0 && n != rows {
		return out, fstore.Errorf(fstore.ErrCorrupt, "feature %s has %d statuses for %d rows", f.GetName(), n, rows)
	}
	if n := len(valid); n > 0 && n != (rows+7)/8 || len(times) != rows && (len(times) > 0 || n > 0) {
		return out, fstore.Errorf(fstore.ErrCorrupt, "feature %s has %d event times for %d rows", f.GetName(), len(times), rows)
	}
	if len(statuses) > 0 {
		for i, s := range statuses {
			if s > byte(answers.OutsideMaxAge) { // an unknown status of a newer server
				statuses[i] = byte(answers.NullValue)
			}
		}
		out.Statuses = unsafe.Slice((*answers.Status)(unsafe.SliceData(statuses)), len(statuses)) //nolint:gosec // G103: a Status is a byte
	}
	if out.Events = times; events == answers.WithEventTimes && times == nil {
		out.Events = []int64{}
	}
	if len(valid) > 0 {
		out.EventsValid = valid
	}
	return out, nil
}

func serviceFrom(s *fstorev1.ServiceAnswer) fstore.ViewRef {
	return fstore.ViewRef{Name: s.GetName(), Version: int(s.GetVersion())}
}

func modelFrom(m *fstorev1.ModelAnswer) fstore.ModelRef {
	return fstore.ModelRef{Name: m.GetName(), Version: m.GetVersion()}
}

func descriptionFrom(r *fstorev1.DescribeFeaturesResponse) (*Description, error) {
	d := &Description{Service: serviceFrom(r.GetService()), Model: modelFrom(r.GetModel())}
	for _, k := range r.GetKeyColumns() {
		t, err := fstore.ParseType(k.GetType())
		if err != nil {
			return nil, err
		}
		d.KeyColumns = append(d.KeyColumns, fstore.Field{Name: k.GetName(), Type: t})
	}
	for _, c := range r.GetRequestColumns() {
		column, err := requestColumnFrom(c)
		if err != nil {
			return nil, err
		}
		d.Request = append(d.Request, column)
	}
	for _, f := range r.GetFeatures() {
		t, err := fstore.ParseType(f.GetType())
		if err != nil {
			return nil, err
		}
		d.Features = append(d.Features, fstore.FeatureDescription{
			Name: f.GetName(), Type: t, Feature: f.GetFeature(), Description: f.GetDescription(),
			View: fstore.ViewRef{Name: f.GetView(), Version: int(f.GetViewVersion())},
		})
	}
	return d, nil
}

func requestColumnFrom(c *fstorev1.RequestColumn) (out fstore.RequestColumn, err error) {
	out.Name, out.Description = c.GetName(), c.GetDescription()
	if out.Type, err = fstore.ParseType(c.GetType()); err != nil || c.GetDefault() == nil {
		return out, err
	}
	value, err := fstorev1.ColumnOf(c.GetDefault())
	if err == nil && (value.Len != 1 || value.Type != out.Type) {
		err = fstore.Errorf(fstore.ErrCorrupt, "the default of %s is not one %s", out.Name, out.Type)
	}
	out.Default = &fstore.Value{Column: value}
	return out, err
}
