package terminal

// comparedLines bounds the table of LineDiff: it has an entry for each pair of lines.
const comparedLines = 4_000_000

// LineDiff returns the lines of both texts, each after a sign: "-" only in old, "+" only in now, " " in both. It
// computes the longest common subsequence. For texts too long for that, it compares only their common beginning and
// end.
func LineDiff(old, now []string) []string {
	begin := 0
	for begin < len(old) && begin < len(now) && old[begin] == now[begin] {
		begin++
	}
	end := 0
	for end < len(old)-begin && end < len(now)-begin && old[len(old)-1-end] == now[len(now)-1-end] {
		end++
	}
	var out []string
	for _, line := range old[:begin] {
		out = append(out, "  "+line)
	}
	out = append(out, between(old[begin:len(old)-end], now[begin:len(now)-end])...)
	for _, line := range old[len(old)-end:] {
		out = append(out, "  "+line)
	}
	return out
}

func between(old, now []string) (out []string) {
	if len(now) > 0 && len(old) > comparedLines/len(now) {
		for _, line := range old {
			out = append(out, "- "+line)
		}
		for _, line := range now {
			out = append(out, "+ "+line)
		}
		return out
	}
	common := make([][]int, len(old)+1) // of old[i:] and now[j:]
	for i := range common {
		common[i] = make([]int, len(now)+1)
	}
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(now) - 1; j >= 0; j-- {
			if old[i] == now[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(old) || j < len(now) {
		switch {
		case i < len(old) && j < len(now) && old[i] == now[j]:
			out = append(out, "  "+old[i])
			i, j = i+1, j+1
		case j == len(now) || i < len(old) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "- "+old[i])
			i++
		default:
			out = append(out, "+ "+now[j])
			j++
		}
	}
	return out
}
