package ondemand

// twin is one expression as fstore and as CEL write it.
type twin struct{ ours, cel string }

// rule makes an expression of some operands. The formats take the operands in their order.
type rule struct {
	operands  []valueType
	ours, cel string
}

func infix(t valueType, operators ...string) (rules []rule) {
	for _, op := range operators {
		rules = append(rules, rule{[]valueType{t, t}, "(%s " + op + " %s)", "(%s " + op + " %s)"})
	}
	return rules
}

// rulesFor has the ways to make a value of a type.
var rulesFor = map[valueType][]rule{
	boolType: concat(
		infix(boolType, "&&", "||", "==", "!="), infix(intType, "<", "<=", ">", ">=", "==", "!="),
		infix(floatType, "<", "<=", ">", ">=", "==", "!="), infix(textType, "<", "<=", ">", ">=", "==", "!="), infix(timeType, "<", "<=", ">", ">=", "==", "!="),
		infix(boolType, "<", "<=", ">", ">="), infix(bytesType, "<", "<=", ">", ">=", "==", "!="),
		[]rule{
			{[]valueType{boolType}, "!%s", "!%s"},
			{[]valueType{textType, textType}, "starts_with(%s, %s)", "%s.startsWith(%s)"},
			{[]valueType{textType, textType}, "ends_with(%s, %s)", "%s.endsWith(%s)"},
			{[]valueType{textType, textType}, "contains(%s, %s)", "%s.contains(%s)"},
			{[]valueType{textType}, "matches(%s, '^[a-c]*e.$')", "%s.matches('^[a-c]*e.$')"},
			{[]valueType{intType, intType, intType}, "(%s in [%s, %s])", "(%s in [%s, %s])"},
			{[]valueType{textType, textType | listOf}, "(%s in %s)", "(%s in %s)"},
			{[]valueType{floatType, floatType | listOf}, "(%s in %s)", "(%s in %s)"},
			{[]valueType{boolType, boolType | listOf}, "(%s in %s)", "(%s in %s)"},
			{[]valueType{intType, intType | listOf}, "(%s in %s)", "(%s in %s)"},
			{[]valueType{timeType, timeType | listOf}, "(%s in %s)", "(%s in %s)"},
			{[]valueType{bytesType, bytesType | listOf}, "(%s in %s)", "(%s in %s)"},
			{[]valueType{timeType, timeType}, "((%s - u) < (v - %s))", "((%s - u) < (v - %s))"},
			{[]valueType{timeType, timeType}, "((%s - u) <= (v - %s))", "((%s - u) <= (v - %s))"},
			{[]valueType{timeType, timeType}, "((%s - u) > (v - %s))", "((%s - u) > (v - %s))"},
			{[]valueType{timeType, timeType}, "((%s - u) >= (v - %s))", "((%s - u) >= (v - %s))"},
			{[]valueType{timeType, timeType}, "((%s - u) == (v - %s))", "((%s - u) == (v - %s))"},
			{[]valueType{timeType, timeType}, "((%s - u) != (v - %s))", "((%s - u) != (v - %s))"},
			{[]valueType{boolType | listOf, intType}, "%s[%s]", "%s[%s]"},
			{nil, "bool(p ? 'true' : s)", "bool(p ? 'true' : s)"},
			{[]valueType{boolType | listOf}, "%s[0]", "%s[0]"},
			{[]valueType{floatType}, "is_nan(%s)", "math.isNaN(%s)"},
			{[]valueType{floatType}, "is_inf(%s)", "math.isInf(%s)"},
		}),
	intType: concat(infix(intType, "+", "-", "*", "/", "%%"), []rule{
		{[]valueType{intType}, "-(%s)", "-(%s)"},
		{[]valueType{floatType}, "int64(%s)", "int(%s)"},
		{[]valueType{timeType}, "int64(%s)", "int(%s)"},
		{[]valueType{textType}, "length(%s)", "size(%s)"},
		{[]valueType{textType | listOf}, "size(%s)", "size(%s)"},
		{[]valueType{intType}, "abs(%s)", "math.abs(%s)"},
		{[]valueType{intType}, "sign(%s)", "math.sign(%s)"},
		{[]valueType{intType, intType, intType}, "min(%s, %s, %s)", "math.least(%s, %s, %s)"},
		{[]valueType{intType, intType}, "max(%s, %s)", "math.greatest(%s, %s)"},
		{[]valueType{timeType}, "year(%s)", "%s.getFullYear()"},
		{[]valueType{timeType}, "month(%s, 'Europe/London')", "(%s.getMonth('Europe/London') + 1)"},
		{[]valueType{timeType}, "day(%s, 'Asia/Kolkata')", "%s.getDate('Asia/Kolkata')"},
		{[]valueType{timeType}, "day_of_year(%s, 'America/Sao_Paulo')", "(%s.getDayOfYear('America/Sao_Paulo') + 1)"},
		{[]valueType{timeType}, "(weekday(%s, 'Pacific/Apia') %% 7)", "%s.getDayOfWeek('Pacific/Apia')"},
		{[]valueType{timeType}, "hour(%s, 'Australia/Lord_Howe')", "%s.getHours('Australia/Lord_Howe')"},
		{[]valueType{timeType}, "minute(%s, 'Africa/Monrovia')", "%s.getMinutes('Africa/Monrovia')"},
		{[]valueType{timeType}, "second(%s)", "%s.getSeconds()"},
		{[]valueType{timeType}, "year(%s)", "(%s.getFullYear())"},
		{[]valueType{timeType}, "year(%s, 'America/Havana')", "(%s.getFullYear('America/Havana'))"},
		{[]valueType{timeType}, "month(%s)", "(%s.getMonth() + 1)"},
		{[]valueType{timeType}, "month(%s, 'America/Havana')", "(%s.getMonth('America/Havana') + 1)"},
		{[]valueType{timeType}, "day(%s)", "(%s.getDate())"},
		{[]valueType{timeType}, "day(%s, 'America/Havana')", "(%s.getDate('America/Havana'))"},
		{[]valueType{timeType}, "day_of_year(%s)", "(%s.getDayOfYear() + 1)"},
		{[]valueType{timeType}, "day_of_year(%s, 'America/Havana')", "(%s.getDayOfYear('America/Havana') + 1)"},
		{[]valueType{timeType}, "hour(%s)", "(%s.getHours())"},
		{[]valueType{timeType}, "hour(%s, 'America/Havana')", "(%s.getHours('America/Havana'))"},
		{[]valueType{timeType}, "minute(%s)", "(%s.getMinutes())"},
		{[]valueType{timeType}, "minute(%s, 'America/Havana')", "(%s.getMinutes('America/Havana'))"},
		{[]valueType{timeType}, "second(%s)", "(%s.getSeconds())"},
		{[]valueType{timeType}, "second(%s, 'America/Havana')", "(%s.getSeconds('America/Havana'))"},
		{[]valueType{timeType}, "(weekday(%s) %% 7)", "%s.getDayOfWeek()"},
		{[]valueType{textType}, "int64(%s)", "int(%s)"},
		{nil, "int64(p ? '-42' : s)", "int(p ? '-42' : s)"},
		{[]valueType{intType | listOf}, "%s[0]", "%s[0]"},
		{[]valueType{bytesType}, "length(%s)", "size(%s)"},
		{[]valueType{intType | listOf, intType}, "%s[%s]", "%s[%s]"},
		{[]valueType{intType | listOf}, "size(%s)", "size(%s)"},
		{[]valueType{boolType | listOf}, "size(%s)", "size(%s)"},
		{[]valueType{floatType | listOf}, "size(%s)", "size(%s)"},
		{[]valueType{timeType | listOf}, "size(%s)", "size(%s)"},
		{[]valueType{bytesType | listOf}, "size(%s)", "size(%s)"},
		{[]valueType{timeType, timeType}, "int64(minutes((%s - %s) + (v - u)))", "((%s - %s) + (v - u)).getMinutes()"},
		{[]valueType{timeType, timeType}, "int64(seconds((%s - %s) - (v - u)))", "((%s - %s) - (v - u)).getSeconds()"},
		{[]valueType{timeType, timeType}, "int64(hours(%s - %s))", "(%s - %s).getHours()"},
	}),
	floatType: concat(infix(floatType, "+", "-", "*", "/"), []rule{
		{[]valueType{floatType}, "-(%s)", "-(%s)"},
		{[]valueType{intType}, "float64(%s)", "double(%s)"},
		{[]valueType{floatType | listOf, intType}, "%s[%s]", "%s[%s]"},
		{[]valueType{textType}, "float64(%s)", "double(%s)"},
		{nil, "float64(p ? '-1.5e3' : s)", "double(p ? '-1.5e3' : s)"},
		{[]valueType{floatType | listOf}, "%s[0]", "%s[0]"},
		{[]valueType{floatType}, "floor(%s)", "math.floor(%s)"},
		{[]valueType{floatType}, "ceil(%s)", "math.ceil(%s)"},
		{[]valueType{floatType}, "round(%s)", "math.round(%s)"},
		{[]valueType{floatType}, "sqrt(%s)", "math.sqrt(%s)"},
		{[]valueType{floatType}, "abs(%s)", "math.abs(%s)"},
		{[]valueType{floatType}, "sign(%s)", "math.sign(%s)"},
	}),
	textType: concat(infix(textType, "+"), []rule{
		{[]valueType{intType}, "string(%s)", "string(%s)"},
		{[]valueType{boolType}, "string(%s)", "string(%s)"},
		{[]valueType{timeType}, "string(%s)", "string(%s)"},
		{[]valueType{textType | listOf, intType}, "%s[%s]", "%s[%s]"},
		{[]valueType{textType | listOf}, "%s[0]", "%s[0]"},
		{[]valueType{textType, textType}, "replace(%s, 'e', %s)", "%s.replace('e', %s)"},
		{[]valueType{textType}, "trim(%s)", "%s.trim()"},
	}),
	timeType: {
		{[]valueType{timeType}, "(%s + duration('1h30m'))", "(%s + duration('1h30m'))"},
		{[]valueType{timeType}, "(duration('90m') + %s)", "(duration('90m') + %s)"},
		{[]valueType{timeType}, "(%s - duration('26h'))", "(%s - duration('26h'))"},
		{[]valueType{textType}, "timestamp(%s)", "timestamp(%s)"},
		{nil, "timestamp(p ? '1969-02-03T04:05:06Z' : s)", "timestamp(p ? '1969-02-03T04:05:06Z' : s)"},
		{[]valueType{timeType | listOf}, "%s[0]", "%s[0]"},
		{[]valueType{intType}, "timestamp(%s)", "timestamp(%s)"},
		{[]valueType{timeType | listOf, intType}, "%s[%s]", "%s[%s]"},
		{[]valueType{timeType, timeType, timeType}, "(%s + (%s - %s))", "(%s + (%s - %s))"},
	},
	bytesType: {
		{[]valueType{bytesType | listOf, intType}, "%s[%s]", "%s[%s]"},
		{[]valueType{bytesType | listOf}, "%s[0]", "%s[0]"},
	},
	floatType | listOf: {{[]valueType{floatType, floatType}, "[%s, %s]", "[%s, %s]"}},
	textType | listOf: {
		{[]valueType{textType, textType}, "split(%s, %s)", "%s.split(%s)"},
		{[]valueType{textType}, "split(%s, '')", "%s.split('')"},
	},
}

func concat(parts ...[]rule) (all []rule) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
