package grpcapi

import (
	"github.com/fstore-dev/fstore/server/servertest"
)

type (
	page = servertest.Page
	row  = servertest.Row
)

var (
	now = servertest.Now

	view      = servertest.View
	serviceOf = servertest.ServiceOf
	publish   = servertest.Publish
	wideView  = servertest.WideView
	wideRows  = servertest.WideRows

	int64s    = servertest.Int64s
	strs      = servertest.Strings
	times     = servertest.Times
	byService = servertest.ByService
	byRefs    = servertest.ByRefs
)
