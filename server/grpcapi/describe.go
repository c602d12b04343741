package grpcapi

import (
	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// describe returns what a list needs and gives, as a message.
func describe(list *fstore.FeatureList) *fstorev1.DescribeFeaturesResponse {
	d := list.Describe()
	answer := &fstorev1.DescribeFeaturesResponse{}
	for _, k := range d.KeyColumns {
		answer.KeyColumns = append(answer.KeyColumns, &fstorev1.KeyColumn{Name: k.Name, Type: k.Type.String()})
	}
	for _, c := range d.Request {
		column := &fstorev1.RequestColumn{Name: c.Name, Type: c.Type.String(), Description: c.Description}
		if c.Default != nil {
			column.Default = fstorev1.NewColumn(&c.Default.Column)
		}
		answer.RequestColumns = append(answer.RequestColumns, column)
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
