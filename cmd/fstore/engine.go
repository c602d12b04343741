package main

import (
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settingFlag makes a flag of a command override a setting.
func settingFlag(cmd *cobra.Command, flag, setting string) {
	_ = cmd.Flags().SetAnnotation(flag, usage.SettingOf, []string{setting})
}

// engineFlags adds the settings of the offline engine to a command as flags.
func (a *app) engineFlags(cmd *cobra.Command) {
	cmd.Flags().Int("threads", 0, "threads of the offline engine (setting offline.threads)")
	cmd.Flags().String("memory-limit", "", "memory of the offline engine, such as 4GB (setting offline.memory_limit)")
	settingFlag(cmd, "threads", "offline.threads")
	settingFlag(cmd, "memory-limit", "offline.memory_limit")
}

// bindFlags overrides settings with the flags of a command.
func (a *app) bindFlags(cmd *cobra.Command) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if key := f.Annotations[usage.SettingOf]; len(key) == 1 {
			a.given[key[0]] = project.Setting{Value: f.Value.String(), From: "--" + f.Name}
		}
	})
	a.setLog(project.EarlyLog(a.options()))
}

// leakCheckFlag adds --leak-check.
func leakCheckFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "leak-check", "4", "check at this many instants that views do not see the future: a number, all or off")
}
