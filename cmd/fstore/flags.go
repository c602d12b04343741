package main

import (
	"errors"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError says in words of this program what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		e := usagef(cmd, "unknown flag: --%s", unknown.GetSpecifiedName())
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		if near := registry.DidYouMean("--"+unknown.GetSpecifiedName(), known); strings.HasPrefix(near, "did you mean") {
			return e.WithHint("%s", near)
		}
		return e
	case errors.As(err, &value):
		kinds := map[string]string{"int": "a whole number", "bool": "true or false"}
		if kind, ok := kinds[value.GetFlag().Value.Type()]; ok {
			return usagef(cmd, "--%s %q: %s is wanted", value.GetFlag().Name, value.GetValue(), kind)
		}
	}
	return usagef(cmd, "%v", err)
}

// checkEmpty refuses a flag that was given without a value: --to "$TO" is no wish for the default where TO is not set.
func checkEmpty(cmd *cobra.Command) error {
	var wrong error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		isText := f.Value.Type() == "string" && f.Value.String() == ""
		isSetting := len(f.Annotations[settingOf]) > 0 // what is wrong with its value is said with it
		if isText && !isSetting && f.Name != "message" && wrong == nil {
			wrong = usagef(nil, "--%s is empty", f.Name).WithHint("leave it out, or give a value")
		}
	})
	return wrong
}

// usageOf turns an error about an argument or a flag, which what names, into a mistake in it.
func usageOf(what string, err error) error {
	if err == nil {
		return nil
	}
	message, hints := fstore.Explain(err)
	return fstore.Errorf(fstore.ErrUsage, "%s%s", what, message).WithHint("%s", strings.Join(hints, "; "))
}

// given returns how many of several ways to say something were taken.
func given(ways ...bool) int {
	n := 0
	for _, taken := range ways {
		if taken {
			n++
		}
	}
	return n
}

// checkService refuses what cannot be the name of a service.
func checkService(name string) error {
	if service, version, ok := strings.Cut(name, "@"); ok && fstore.CheckName(service) == nil {
		return usagef(nil, "--service %s: a service is named without a version", name).
			WithHint("--service %s; views have versions: --features view@%s.feature", service, version)
	}
	return usageOf("--service: ", fstore.CheckName(name))
}

// strict makes cobra's own commands refuse arguments that they would pass over.
func strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.Args, cmd.RunE = noCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				of, rest, err := root.Find(args)
				if err != nil || len(rest) > 0 {
					return noCommand(of, rest)
				}
				return nil
			}
		}
	}
}
