package drift

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
)

// CheckNames are the names of all scores, in the order in which a comparison has them.
var CheckNames = []CheckName{CheckNullRate, CheckUnseen, CheckOutOfRange, CheckWasserstein, CheckPSI, CheckJS, CheckKS}

// SetThreshold reads a threshold: CHECK=NUMBER for all columns, COLUMN.CHECK=NUMBER for one. off in place of the number
// takes the threshold away: the score is then only shown.
func (o *Options) SetThreshold(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return fstore.Errorf(fstore.ErrUsage, "%q is not CHECK=NUMBER", text).WithHint("for example psi=0.2, order_value.js=0.15 or unseen=off")
	}
	column, check := "", name
	if at := strings.LastIndexByte(name, '.'); at >= 0 {
		column, check = name[:at], name[at+1:]
	}
	if !slices.Contains(CheckNames, CheckName(check)) {
		var known []string
		for _, n := range CheckNames {
			known = append(known, string(n))
		}
		return fstore.Errorf(fstore.ErrUsage, "%q: there is no check %q", text, check).WithHint("one of %s", strings.Join(known, ", "))
	}
	x, err := strconv.ParseFloat(value, 64)
	switch {
	case value == "off":
		x = math.NaN()
	case err != nil, !(x >= 0), math.IsInf(x, 0):
		return fstore.Errorf(fstore.ErrUsage, "%q: %q is not a threshold", text, value).WithHint("a number from 0 on, or off")
	}
	into := &o.Thresholds
	if column != "" {
		if o.ByColumn == nil {
			o.ByColumn = map[string]Thresholds{}
		}
		of := o.ByColumn[column]
		into = &of
		defer func() { o.ByColumn[column] = of }()
	}
	if *into == nil {
		*into = Thresholds{}
	}
	(*into)[CheckName(check)] = x
	return nil
}
