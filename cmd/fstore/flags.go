package main

import (
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/usage"
)

// checkService refuses a text that cannot be the name of a service.
func checkService(name string) error {
	if service, version, ok := strings.Cut(name, "@"); ok && fstore.CheckName(service) == nil {
		return usage.Errorf(nil, "--service %s: a service is named without a version", name).
			WithHint("--service %s; views have versions: --features view@%s.feature", service, version)
	}
	return usage.Of("--service: ", fstore.CheckName(name))
}
