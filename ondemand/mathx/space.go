package mathx

import "math"

// EarthRadius is the mean radius of the earth in kilometres.
const EarthRadius = 6371.0088

// HaversineKm returns the distance in kilometres between two points of a sphere with the earth's mean radius. Angles are in
// degrees. It is NaN if one is infinite or NaN.
func HaversineKm(lat1, lon1, lat2, lon2 float64) float64 {
	phi1, phi2 := radians(lat1), radians(lat2)
	s := Sin(float64(radians(lat2-lat1) * 0.5))
	t := Sin(float64(radians(lon2-lon1) * 0.5))
	h := float64(s*s) + float64(float64(Cos(phi1)*Cos(phi2))*float64(t*t))
	return float64(2*EarthRadius) * Asin(math.Sqrt(min(h, 1)))
}

// radians converts an angle in degrees, of which whole circles do not matter.
func radians(degrees float64) float64 {
	return float64(math.Mod(degrees, 720) * (math.Pi / 180)) // half of it still loses whole circles only
}
