package offline

import (
	"fmt"
	"slices"
)

// SettingDifference is a setting that two locks have other values of; one that a lock has not is "".
type SettingDifference struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// CompareSettings returns the settings that differ, by name.
func CompareSettings(old, new []LockSetting) []SettingDifference {
	out := []SettingDifference{}
	value := func(of []LockSetting, name string) string {
		i := slices.IndexFunc(of, func(s LockSetting) bool { return s.Name == name })
		if i < 0 {
			return ""
		}
		return of[i].Value
	}
	for _, s := range old {
		if v := value(new, s.Name); v != s.Value {
			out = append(out, SettingDifference{s.Name, s.Value, v})
		}
	}
	for _, s := range new {
		if value(old, s.Name) == "" && s.Value != "" {
			out = append(out, SettingDifference{s.Name, "", s.Value})
		}
	}
	slices.SortFunc(out, func(a, b SettingDifference) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}

// CompareColumns returns the columns of two training sets that differ: in their place, their type or their values, of
// which it says what their statistics show.
func CompareColumns(old, new *LockOutput) []ColumnDifference {
	out := []ColumnDifference{}
	place := func(o *LockOutput, name string) int {
		return slices.IndexFunc(o.Columns, func(c LockColumn) bool { return c.Name == name })
	}
	for i, was := range old.Columns {
		j := place(new, was.Name)
		if j < 0 {
			out = append(out, ColumnDifference{was.Name, "it is not there any more"})
			continue
		}
		is := new.Columns[j]
		switch {
		case is.Type != was.Type:
			out = append(out, ColumnDifference{was.Name, was.Type + " became " + is.Type})
		case is.Content != was.Content:
			out = append(out, ColumnDifference{was.Name, "values: " + was.Statistics.against(&is.Statistics)})
		case i != j:
			out = append(out, ColumnDifference{was.Name, fmt.Sprintf("column %d became column %d", i+1, j+1)})
		}
	}
	for _, is := range new.Columns {
		if place(old, is.Name) < 0 {
			out = append(out, ColumnDifference{is.Name, "it is new"})
		}
	}
	return out
}
