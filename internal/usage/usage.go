// Package usage explains mistakes on the command line. Its errors are of the kind fstore.ErrUsage.
package usage

import (
	"cmp"
	"errors"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// SettingOf is the annotation of a flag that overrides a setting.
const SettingOf = "fstore_setting"

// Errorf returns an error about a flag or an argument. If cmd is not nil, the hint names its help.
func Errorf(cmd *cobra.Command, format string, args ...any) *fstore.Error {
	e := fstore.Errorf(fstore.ErrUsage, format, args...)
	if cmd != nil {
		return e.WithHint("see %s --help", cmd.CommandPath())
	}
	return e
}

// NoCommand is the argument check of a command that only has subcommands.
func NoCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := Errorf(cmd, "there is no command %q", strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), "fstore")+" "+args[0]))
	cmd.SuggestionsMinimumDistance = 2 // cobra sets it only if it writes the error itself
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return err.WithHint("did you mean %s?", strings.Join(near, " or "))
	}
	return err
}

// Args turns the errors of an argument check into usage errors.
func Args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			return nil
		}
		name := strings.TrimPrefix(cmd.CommandPath(), "fstore ")
		_, wanted, _ := strings.Cut(cmd.Use, " ")
		switch {
		case wanted == "":
			return Errorf(cmd, "%s takes no arguments: %s", name, args[0])
		case len(cmd.ValidArgs) > 0:
			return Errorf(nil, "%s: there is no %q", name, strings.Join(args, " ")).WithHint("one of %s", strings.Join(cmd.ValidArgs, ", "))
		case len(args) == 0:
			return Errorf(cmd, "%s: %s is missing", name, wanted)
		case strings.Contains(wanted, " "):
			return Errorf(cmd, "%s expects %s, got %s", name, wanted, english.Count(len(args), "argument"))
		default:
			return Errorf(cmd, "%s expects one argument, %s, got %d", name, wanted, len(args))
		}
	}
}

// FlagError explains an error about a flag in fstore's words.
func FlagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		e := Errorf(cmd, "unknown flag: --%s", unknown.GetSpecifiedName())
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		if unknown.GetSpecifiedName() == "version" {
			return e.WithHint("run fstore version")
		}
		if near := fstore.DidYouMean("--"+unknown.GetSpecifiedName(), known); strings.HasPrefix(near, "did you mean") {
			return e.WithHint("%s", near)
		}
		return e
	case errors.As(err, &value):
		return Errorf(cmd, "--%s %q: expected %s", value.GetFlag().Name, value.GetValue(), kindOf(value.GetFlag()))
	}
	return Errorf(cmd, "%v", err)
}

// kindOf says what values a flag takes.
func kindOf(f *pflag.Flag) string {
	kind := f.Value.Type()
	return cmp.Or(map[string]string{"int": "a whole number", "int64": "a whole number", "bool": "true or false", "duration": "a duration such as 10m"}[kind], kind)
}

// CheckEmpty refuses a flag with an empty value: --to "$TO" does not ask for the default if TO is not set.
func CheckEmpty(cmd *cobra.Command) error {
	var wrong error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		isText := f.Value.Type() == "string" && f.Value.String() == ""
		isSetting := len(f.Annotations[SettingOf]) > 0 // the error about the setting covers its value
		if isText && !isSetting && f.Name != "message" && wrong == nil {
			wrong = Errorf(nil, "--%s is empty", f.Name).WithHint("give a value, or remove the flag")
		}
	})
	return wrong
}

// Given counts how many of several alternatives were given.
func Given(ways ...bool) int {
	n := 0
	for _, taken := range ways {
		if taken {
			n++
		}
	}
	return n
}

// Strict makes cobra's own commands refuse arguments that they would ignore.
func Strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.Args, cmd.RunE = NoCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				of, rest, err := root.Find(args)
				if err != nil || len(rest) > 0 {
					return NoCommand(of, rest)
				}
				return nil
			}
		}
	}
}
