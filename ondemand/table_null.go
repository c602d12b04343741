package ondemand

func nullTable() []*function {
	all := []*function{
		{
			name: "is_null", about: "Whether x is null. `x == null` means the same.", takes: []string{"is_null(x T) bool"},
			nulls: "never null", examples: []example{{"is_null(1 / 0)", "true"}, {"1 / 0 == null", "true"}, {"is_null(0)", "false"}},
		},
		{
			name: "coalesce", about: "The first argument that is not null.", takes: []string{"coalesce(x T, ...) T"},
			nulls: "null if every argument is", examples: []example{{"coalesce(1 / 0, 2 / 0, 7)", "7"}},
		},
		{
			name: "if_null", about: "x, or y where x is null: `coalesce(x, y)`.", takes: []string{"if_null(x T, y T) T"},
			nulls: "null if both arguments are", examples: []example{{"if_null(1 / 0, 7)", "7"}},
		},
	}
	for _, f := range all {
		f.group = nullGroup
	}
	return all
}
