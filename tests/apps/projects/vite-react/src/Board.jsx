import { useEffect, useState } from "react";

function Skeleton() {
  return (
    <div className="card">
      <div className="bone wide" />
      <div className="bone" />
      <div className="bone" />
    </div>
  );
}

function Card({ team }) {
  const [people, setPeople] = useState(null);
  useEffect(() => {
    fetch(`/data/people?ms=${400 + 60 * team.id}`)
      .then((answer) => answer.json())
      .then((rows) => setPeople(rows.filter((row) => row.team === team.name).slice(0, 8)));
  }, [team]);
  if (!people) return <Skeleton />;
  return (
    <div className="card">
      <h2>
        {team.name} <small>{team.size}</small>
      </h2>
      <ul>
        {people.map((row) => (
          <li key={row.id}>
            {row.name} <i style={{ width: row.amount / 30 }} />
          </li>
        ))}
      </ul>
    </div>
  );
}

export default function Board() {
  const [teams, setTeams] = useState(null);
  useEffect(() => {
    fetch("/data/teams?ms=400")
      .then((answer) => answer.json())
      .then(setTeams);
  }, []);
  if (!teams) return <main>{[1, 2, 3, 4].map((at) => <Skeleton key={at} />)}</main>;
  return <main>{teams.map((team) => <Card key={team.id} team={team} />)}</main>;
}
