package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fstore-dev/fstore/internal/usage"
)

// A value that a flag cannot have is refused in words of this program, whatever the type of the flag.
func TestAWrongValueOfAnyFlagIsExplained(t *testing.T) {
	typed := 0
	commands(func(path string, cmd *cobra.Command) {
		check := func(f *pflag.Flag) {
			if f.Name == "help" || strings.HasPrefix(f.Value.Type(), "string") {
				return
			}
			err := cmd.ParseFlags([]string{"--" + f.Name + "=abc"})
			if err == nil {
				return // any text is a value
			}
			typed++
			said := usage.FlagError(cmd, err).Error()
			want := fmt.Sprintf("--%s \"abc\": expected ", f.Name)
			if !strings.Contains(said, want) || strings.Contains(said, "strconv") || strings.HasSuffix(said, f.Value.Type()) {
				t.Errorf("%s --%s abc: %s", path, f.Name, said)
			}
		}
		cmd.InheritedFlags()
		cmd.Flags().VisitAll(check)
	})
	if typed < 10 {
		t.Errorf("only %d flags have a type", typed)
	}
}
