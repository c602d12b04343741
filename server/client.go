package server

import (
	"context"
	"fmt"
	"unsafe"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// Question is what a client asks: a service, a model, or a list of references, for the rows of key columns.
type Question struct {
	Service    string
	Model      fstore.ModelRef
	Features   []string // where neither is named
	Keys       []fstore.Column
	EventTimes online.EventTimes
}

// Ask asks a running server over gRPC. Of the list only the service or the model is known. The error is an fstore.Error of the kind
// that the server's code stands for.
func Ask(ctx context.Context, conn grpc.ClientConnInterface, q Question) (*fstore.FeatureList, *online.Answer, error) {
	reply, err := fstorev1.NewFeatureStoreClient(conn).GetOnlineFeatures(ctx, requestOf(q))
	if err != nil {
		return nil, nil, kindOf(err)
	}
	list, answer, err := answerFrom(reply)
	if err != nil {
		return nil, nil, fmt.Errorf("read the server's answer: %w", err)
	}
	return list, answer, nil
}

func requestOf(q Question) *fstorev1.GetOnlineFeaturesRequest {
	req := &fstorev1.GetOnlineFeaturesRequest{EventTimestamps: q.EventTimes == online.WithEventTimes}
	switch {
	case q.Service != "":
		req.Selection = &fstorev1.GetOnlineFeaturesRequest_Service{Service: q.Service}
	case q.Model.Name != "":
		req.Selection = &fstorev1.GetOnlineFeaturesRequest_Model{Model: &fstorev1.ModelRef{Name: q.Model.Name, Version: q.Model.Version}}
	default:
		req.Selection = &fstorev1.GetOnlineFeaturesRequest_Features{Features: &fstorev1.FeatureRefs{Refs: q.Features}}
	}
	for i := range q.Keys {
		req.Entities = append(req.Entities, fstorev1.NewColumn(&q.Keys[i]))
	}
	return req
}

// answerFrom is the inverse of target.encode.
func answerFrom(r *fstorev1.GetOnlineFeaturesResponse) (*fstore.FeatureList, *online.Answer, error) {
	list := &fstore.FeatureList{
		Service: fstore.ViewRef{Name: r.GetService().GetName(), Version: int(r.GetService().GetVersion())},
		Model:   fstore.ModelRef{Name: r.GetModel().GetName(), Version: r.GetModel().GetVersion()},
	}
	a := &online.Answer{Rows: int(r.GetRows())}
	if r.ReplayedMicros != nil {
		a.Replayed = fstore.FromMicros(r.GetReplayedMicros())
	}
	for _, f := range r.GetFeatures() {
		c, err := fstorev1.ColumnOf(f)
		if err != nil {
			return nil, nil, err
		}
		if c.Len != a.Rows {
			return nil, nil, fstore.Errorf(fstore.ErrCorrupt, "feature %s has %d values for %d rows", f.GetName(), c.Len, a.Rows)
		}
		statuses, events := f.GetStatuses(), f.GetEventTimestamps()
		if n := len(statuses); n > 0 && n != a.Rows {
			return nil, nil, fstore.Errorf(fstore.ErrCorrupt, "feature %s has %d statuses for %d rows", f.GetName(), n, a.Rows)
		}
		if n, m := len(events), len(f.GetEventValidity()); n > 0 && n != a.Rows || m > 0 && m != (a.Rows+7)/8 {
			return nil, nil, fstore.Errorf(fstore.ErrCorrupt, "feature %s has %d event times for %d rows", f.GetName(), n, a.Rows)
		}
		out := online.AnswerFeature{Column: c, Events: events, EventsValid: f.GetEventValidity()}
		if len(statuses) > 0 {
			out.Statuses = unsafe.Slice((*online.Status)(unsafe.SliceData(statuses)), len(statuses)) //nolint:gosec // G103: a Status is a byte
		}
		a.Features = append(a.Features, out)
	}
	for _, v := range r.GetViews() {
		a.Versions = append(a.Versions, online.AnswerVersion{
			Ref:        fstore.ViewRef{Name: v.GetName(), Version: int(v.GetVersion())},
			Generation: fstore.Generation(v.GetGeneration()), Published: fstore.FromMicros(v.GetPublishedMicros()),
		})
	}
	return list, a, nil
}

// kindOf returns a call's error as an fstore.Error, by the table that the server makes codes with.
func kindOf(err error) error {
	s := status.Convert(err)
	for _, c := range classes {
		if c.code == s.Code() {
			return &fstore.Error{Kind: c.kind, Message: s.Message()}
		}
	}
	return fmt.Errorf("%s: %s", s.Code(), s.Message())
}
