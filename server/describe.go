package server

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

const describePath = "/v1/describe"

// describe returns what a list needs and gives, as a message.
func describe(list *fstore.FeatureList) *fstorev1.DescribeFeaturesResponse {
	d := list.Describe()
	answer := &fstorev1.DescribeFeaturesResponse{}
	for _, k := range d.KeyColumns {
		answer.KeyColumns = append(answer.KeyColumns, &fstorev1.KeyColumn{Name: k.Name, Type: k.Type.String()})
	}
	for _, f := range d.Features {
		answer.Features = append(answer.Features, &fstorev1.FeatureDescription{
			Name: f.Name, Type: f.Type.String(), View: f.View.Name, ViewVersion: uint32(f.View.Version),
			Feature: f.Feature, Description: f.Description,
		})
	}
	if list.Service.Name != "" {
		answer.Service = &fstorev1.ServiceAnswer{Name: list.Service.Name, Version: uint32(list.Service.Version)}
	}
	if list.Model.Name != "" {
		answer.Model = &fstorev1.ModelAnswer{Name: list.Model.Name, Version: list.Model.Version}
	}
	return answer
}

// described is the body of an answer of POST /v1/describe.
type described struct {
	*fstore.Description
	Service fstore.ViewRef  `json:"service,omitzero"`
	Model   fstore.ModelRef `json:"model,omitzero"`
}

// postDescribe answers POST /v1/describe: a service, a model or features, as in a look-up.
func (s *Server) postDescribe(w http.ResponseWriter, r *http.Request) {
	s.answerJSON(w, r, httpDescribe, func(_ context.Context, req *jsonRequest, _ *hold) ([]byte, error) {
		if len(req.entities) > 0 {
			return nil, fstore.Errorf(fstore.ErrInvalid, "a description has no entities").WithHint(`such as {"service":"churn"}`)
		}
		t, err := s.named(req)
		if err != nil {
			return nil, err
		}
		answer, err := json.Marshal(described{t.list.Describe(), t.list.Service, t.list.Model})
		return append(answer, '\n'), err
	})
}
