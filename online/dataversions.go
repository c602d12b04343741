package online

import "github.com/fstore-dev/fstore/ondemand"

// DataVersions returns the versions of the data on which on-demand features depend besides their inputs, as answers state them.
func DataVersions() (zones, characters string) { return ondemand.DataVersions() }
