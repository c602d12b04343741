package usage

import (
	"strings"

	"github.com/spf13/pflag"
)

// FromEnvironment sets each named flag that was not given to the value of its variable, if that is not empty. The
// variable of --tls-ca is FSTORE_TLS_CA.
func FromEnvironment(flags *pflag.FlagSet, lookup func(string) (string, bool), names ...string) error {
	for _, name := range names {
		variable := "FSTORE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		value, _ := lookup(variable)
		if value == "" || flags.Changed(name) {
			continue
		}
		if err := flags.Set(name, value); err != nil {
			return Errorf(nil, "%s %q: expected %s", variable, value, kindOf(flags.Lookup(name)))
		}
	}
	return nil
}
