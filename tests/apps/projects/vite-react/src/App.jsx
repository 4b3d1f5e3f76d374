import { lazy, Suspense, useEffect, useState } from "react";
import { Link, Navigate, Route, Routes } from "react-router-dom";

const Board = lazy(() => import("./Board.jsx"));

export default function App() {
  const [user, setUser] = useState(null);
  useEffect(() => {
    fetch("/data/user?ms=300")
      .then((answer) => answer.json())
      .then(setUser);
  }, []);
  if (!user) return <div className="boot">Signing in</div>;
  return (
    <>
      <nav>
        <b>Desk</b> <Link to="/board">Board</Link> <Link to="/people">People</Link> <span>{user.name}</span>
      </nav>
      <Suspense fallback={<div className="boot">One moment</div>}>
        <Routes>
          <Route path="/" element={<Navigate to="/board" replace />} />
          <Route path="/board" element={<Board />} />
        </Routes>
      </Suspense>
    </>
  );
}
