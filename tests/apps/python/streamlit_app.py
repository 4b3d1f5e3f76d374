# mypy: ignore-errors
"""A dashboard of two charts and a table, whose data takes a while."""

import time

import numpy as np
import pandas as pd
import streamlit as st

st.set_page_config(page_title="Sales", layout="wide")
st.title("Sales by week")
left, right = st.columns(2)
chance = np.random.default_rng(20)
frame = pd.DataFrame(chance.normal(size=(50, 3)).cumsum(axis=0), columns=["north", "south", "west"])
with st.spinner("Asking the warehouse"):
    time.sleep(0.6)
left.line_chart(frame)
right.bar_chart(frame.abs().head(12))
left.metric("Orders", "1,204", "4 %")
right.slider("Weeks", 1, 50, 20)
st.dataframe(frame.round(3), width="stretch")
