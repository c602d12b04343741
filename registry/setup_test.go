package registry_test

import (
	"testing"

	"github.com/fstore-dev/fstore/registry/definition/definitiontest"
	"github.com/fstore-dev/fstore/registry/registrytest"
)

var (
	check       = definitiontest.Check
	report      = definitiontest.Report
	oneView     = definitiontest.OneView
	checkWhere  = definitiontest.CheckWhere
	shopArchive = definitiontest.Shop

	epoch    = registrytest.Epoch
	shop     = registrytest.Shop
	plan     = registrytest.Plan
	apply    = registrytest.Apply
	revision = registrytest.Revision
	summary  = registrytest.Summary
)

func newEngine(t testing.TB) *definitiontest.Engine { return definitiontest.New(t) }
