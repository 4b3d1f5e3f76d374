"""HTTP as this box speaks it: connections, certificates, probes, and the shape of what it says."""
