package registry_test

import (
	"testing"

	"github.com/fstore-dev/fstore/registry/definition/definitiontest"
)

var (
	check       = definitiontest.Check
	report      = definitiontest.Report
	oneView     = definitiontest.OneView
	checkWhere  = definitiontest.CheckWhere
	shopArchive = definitiontest.Shop
)

func newEngine(t testing.TB) *definitiontest.Engine { return definitiontest.New(t) }
