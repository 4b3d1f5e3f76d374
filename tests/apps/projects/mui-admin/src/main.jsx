import { Box, Card, CardContent, CircularProgress, CssBaseline, Grow, LinearProgress, Typography } from "@mui/material";
import { DataGrid } from "@mui/x-data-grid";
import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { Area, AreaChart, Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";

const useData = (name, ms) =>
  useQuery({ queryKey: [name], queryFn: async () => (await fetch(`/data/${name}?ms=${ms}`)).json() });

function Chart() {
  const { data } = useData("sales", 600);
  if (!data) return <CircularProgress />;
  return (
    <Box sx={{ display: "flex", height: 360 }}>
      <ResponsiveContainer>
        <AreaChart data={data}>
          <CartesianGrid strokeDasharray="3 3" />
          <XAxis dataKey="month" />
          <YAxis />
          <Tooltip />
          <Area dataKey="sold" fill="#8884d8" stroke="#8884d8" type="monotone" />
        </AreaChart>
      </ResponsiveContainer>
      <ResponsiveContainer>
        <BarChart data={data}>
          <XAxis dataKey="month" />
          <YAxis />
          <Bar dataKey="planned" fill="#82ca9d" />
        </BarChart>
      </ResponsiveContainer>
    </Box>
  );
}

function Teams() {
  const { data } = useData("teams", 300);
  if (!data) return <LinearProgress />;
  return (
    <Box sx={{ display: "flex", gap: 2, my: 2 }}>
      {data.map((team, at) => (
        <Grow in key={team.id} timeout={300 + 100 * at}>
          <Card sx={{ bgcolor: "#ffe0b2", flex: 1 }}>
            <CardContent>
              <Typography variant="h5">{team.name}</Typography>
              {team.size} people
            </CardContent>
          </Card>
        </Grow>
      ))}
    </Box>
  );
}

function Orders() {
  const { data, isLoading } = useData("people", 900);
  const columns = ["id", "name", "team", "amount", "day"].map((field) => ({ field, flex: 1 }));
  return (
    <Box sx={{ height: 480 }}>
      <DataGrid columns={columns} loading={isLoading} rows={data || []} />
    </Box>
  );
}

createRoot(document.getElementById("root")).render(
  <QueryClientProvider client={new QueryClient()}>
    <CssBaseline />
    <Box sx={{ p: 3 }}>
      <Chart />
      <Teams />
      <Orders />
    </Box>
  </QueryClientProvider>,
);
