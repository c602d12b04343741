package server_test

import (
	"github.com/fstore-dev/fstore/server/servertest"
)

type (
	page = servertest.Page
	row  = servertest.Row
)

var (
	now         = servertest.Now
	customerKey = servertest.CustomerKey

	view      = servertest.View
	serviceOf = servertest.ServiceOf
	publish   = servertest.Publish
	orders    = servertest.Orders
	wideView  = servertest.WideView
	wideRows  = servertest.WideRows

	int64s    = servertest.Int64s
	byService = servertest.ByService
	byRefs    = servertest.ByRefs
)
